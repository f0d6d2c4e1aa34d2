package password_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/limits"
)

var cheap = password.Params{Memory: 64, Time: 1, Threads: 1}

func hasher(t *testing.T, o password.Options) *password.Hasher {
	t.Helper()
	h, err := password.New(o)
	require.NoError(t, err)
	return h
}

func TestAHashVerifiesOnlyItsOwnPassword(t *testing.T) {
	h := hasher(t, password.Options{Params: cheap})
	hash, err := h.Hash(t.Context(), "correct horse battery staple")
	require.NoError(t, err)
	require.NoError(t, password.Validate(hash))

	for typed, want := range map[string]bool{
		"correct horse battery staple":  true,
		"correct horse battery staple ": false,
		"Correct horse battery staple":  false,
		"":                              false,
	} {
		got, err := h.Verify(t.Context(), hash, typed)
		require.NoError(t, err)
		require.Equal(t, want, got, typed)
	}
}

// RFC 8265 4.2: one keyboard composes what another sends in parts.
func TestAPasswordIsTheSameHoweverItsLettersAreComposed(t *testing.T) {
	const composed, parts = "caf\u00e9 cr\u00e8me", "cafe\u0301 cre\u0300me"
	h := hasher(t, password.Options{Params: cheap})
	for _, typed := range []string{composed, parts} {
		hash, err := h.Hash(t.Context(), typed)
		require.NoError(t, err)
		for _, again := range []string{composed, parts} {
			ok, err := h.Verify(t.Context(), hash, again)
			require.NoError(t, err)
			require.True(t, ok)
		}
	}

	// An earlier version hashed what was typed.
	salt := []byte("somesaltsomesalt")
	key := argon2.IDKey([]byte(parts), salt, cheap.Time, cheap.Memory, cheap.Threads, 32)
	b64 := base64.RawStdEncoding
	old := "$argon2id$v=19$m=64,t=1,p=1$" + b64.EncodeToString(salt) + "$" + b64.EncodeToString(key)
	ok, err := h.Verify(t.Context(), old, parts)
	require.NoError(t, err)
	require.True(t, ok)

	var work []int64
	for _, hash := range []string{old, ""} {
		before := h.Work()
		_, err := h.Verify(t.Context(), hash, parts)
		require.NoError(t, err)
		work = append(work, h.Work()-before)
	}

	require.Equal(t, work[0], work[1], "whether there is an account does not show")
}

func TestTheSamePasswordHashesDifferentlyEachTime(t *testing.T) {
	h := hasher(t, password.Options{Params: cheap})
	one, err := h.Hash(t.Context(), "x")
	require.NoError(t, err)
	two, err := h.Hash(t.Context(), "x")
	require.NoError(t, err)
	require.NotEqual(t, one, two)
}

// The string was made with the reference implementation's command:
// echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 24 -v 13.
func TestAHashOfTheReferenceImplementationVerifies(t *testing.T) {
	h := hasher(t, password.Options{Params: cheap})
	ok, err := h.Verify(t.Context(),
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password")
	require.NoError(t, err)
	require.True(t, ok)
}

func TestNobodyCostsTheSameWorkAndIsNeverRight(t *testing.T) {
	h := hasher(t, password.Options{Params: cheap})
	ok, err := h.Verify(t.Context(), "", "")
	require.NoError(t, err)
	require.False(t, ok)
	require.EqualValues(t, 1, h.Work())
}

func TestALongPasswordIsRefusedBeforeAnyWork(t *testing.T) {
	h := hasher(t, password.Options{Params: cheap})
	_, err := h.Verify(t.Context(), "", strings.Repeat("x", password.MaxLength+1))
	require.ErrorIs(t, err, password.ErrTooLong)
	_, err = h.Hash(t.Context(), strings.Repeat("x", password.MaxLength+1))
	require.ErrorIs(t, err, password.ErrTooLong)
	require.Zero(t, h.Work())
}

func TestAHashOfAnyOtherCostNeedsAnUpgrade(t *testing.T) {
	h := hasher(t, password.Options{})
	const salted = "$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for cost, want := range map[string]bool{
		"m=19456,t=2,p=1":  false,
		"m=65536,t=3,p=4":  true, // more expensive, and every check pays for it
		"m=47104,t=1,p=1":  true,
		"m=19456,t=2,p=2":  true,
		"m=19456,t=1,p=1":  true,
		"m=4096,t=3,p=1":   true,
		"m=999999,t=3,p=1": true, // refused by Validate
	} {
		require.Equal(t, want, h.NeedsUpgrade("$argon2id$v=19$"+cost+salted), cost)
	}
}

func TestHashesThatMayNotBeStored(t *testing.T) {
	const salted = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	require.NoError(t, password.Validate("$argon2id$v=19$m=262144,t=10,p=4"+salted))

	for name, hash := range map[string]string{
		"empty":                   "",
		"a plain password":        "hunter2",
		"bcrypt":                  "$2y$10$abcdefghijklmnopqrstuv",
		"argon2i":                 "$argon2i$v=19$m=19456,t=2,p=1" + salted,
		"an older version":        "$argon2id$v=16$m=19456,t=2,p=1" + salted,
		"too much memory":         "$argon2id$v=19$m=262145,t=2,p=1" + salted,
		"too many passes":         "$argon2id$v=19$m=19456,t=11,p=1" + salted,
		"too many threads":        "$argon2id$v=19$m=19456,t=2,p=5" + salted,
		"no passes":               "$argon2id$v=19$m=19456,t=0,p=1" + salted,
		"no threads":              "$argon2id$v=19$m=19456,t=2,p=0" + salted,
		"too little memory":       "$argon2id$v=19$m=7,t=2,p=1" + salted,
		"a number that overflows": "$argon2id$v=19$m=99999999999999999999,t=2,p=1" + salted,
		"a sign":                  "$argon2id$v=19$m=+19456,t=2,p=1" + salted,
		"a leading zero":          "$argon2id$v=19$m=019456,t=2,p=1" + salted,
		"another order":           "$argon2id$v=19$t=2,m=19456,p=1" + salted,
		"a short salt":            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"a short key":             "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$c29tZXNhbHQ",
		"padding":                 "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ=$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"something behind":        "$argon2id$v=19$m=19456,t=2,p=1" + salted + "$x",
		"a kilobyte": "$argon2id$v=19$m=19456,t=2,p=1$" + strings.Repeat("A", 1024) +
			"$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"a cost with a fourth field": "$argon2id$v=19$m=19456,t=2,p=1,x=1" + salted,
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, password.Validate(hash), password.ErrFormat)
		})
	}
}

func TestMoreCallersThanSlotsAndQueueHearThatItIsBusy(t *testing.T) {
	h := hasher(t, password.Options{Params: password.Params{Memory: 8 * 1024, Time: 2, Threads: 1}, Slots: 1, Queue: 1})
	var wg sync.WaitGroup
	errs := make([]error, 40)
	for i := range errs {
		wg.Go(func() { _, errs[i] = h.Verify(t.Context(), "", "x") })
	}

	wg.Wait()
	var busy, done int
	for _, err := range errs {
		var away interface{ Unavailable() bool }
		switch {
		case err == nil:
			done++
		case errors.As(err, &away) && away.Unavailable() && errors.Is(err, password.ErrBusy):
			busy++
		}
	}

	require.Equal(t, len(errs), busy+done)
	require.Positive(t, busy)
	require.EqualValues(t, done, h.Work())
	_, err := h.Verify(t.Context(), "", "x")
	require.NoError(t, err, "places are given back")
}

// One network in the queue leaves its places to others, whatever prefix it has (RFC
// 6177); who comes second is served.
func TestOneNetworkLeavesRoomForOthers(t *testing.T) {
	h := hasher(t, password.Options{Params: password.Params{Memory: 8 * 1024, Time: 2, Threads: 1}, Slots: 1, Queue: 9})
	var wg sync.WaitGroup
	var busy atomic.Int32
	inside := make(chan struct{}, 40)
	for i := range cap(inside) {
		// a /64 each, of one /48
		from := limits.Caller{Address: netip.MustParseAddr(fmt.Sprintf("2001:db8:1:%x::1", i))}
		wg.Go(func() {
			_, err := h.VerifyFrom(t.Context(), from, "", "x")
			if errors.Is(err, password.ErrBusy) {
				busy.Add(1)
			}
			inside <- struct{}{}
		})
	}

	for range 20 { // turned away: the queue is full
		<-inside
	}

	for _, other := range []string{"2001:db8:2::1", "2001:db9::1", "192.0.2.1", "198.51.100.1"} {
		wg.Go(func() {
			_, err := h.HashFrom(t.Context(), limits.Caller{Address: netip.MustParseAddr(other)}, "x")
			assert.NoError(t, err)
		})
	}

	wg.Wait()
	require.Positive(t, busy.Load())
	_, err := h.Verify(t.Context(), "", "x")
	require.NoError(t, err, "places are given back")
}

func TestACancelledCallerLeavesTheQueueWithoutWork(t *testing.T) {
	h := hasher(t, password.Options{Params: cheap})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.Verify(ctx, "", "x")
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, h.Work())
}

func FuzzValidate(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, hash string) {
		if err := password.Validate(hash); err != nil {
			require.ErrorIs(t, err, password.ErrFormat)
		}
	})
}
