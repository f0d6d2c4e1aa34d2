package signing_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/cachestats"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
)

// The ring's look-ups can be counted like those of every other cache.
var _ signing.Lookups = (*cachestats.Stats)(nil)

// lookups counts.
type lookups struct {
	mu           sync.Mutex
	hits, misses int
}

func (l *lookups) Hit()  { l.mu.Lock(); defer l.mu.Unlock(); l.hits++ }
func (l *lookups) Miss() { l.mu.Lock(); defer l.mu.Unlock(); l.misses++ }

func (l *lookups) require(t *testing.T, hits, misses int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Equal(t, [2]int{hits, misses}, [2]int{l.hits, l.misses}, "hits and misses")
}

// aging are the claims of a token that expires.
type aging struct {
	ID        string `json:"jti"`
	ExpiresAt int64  `json:"exp"`
	Scope     string `json:"scope,omitempty"`
}

// seenBench is a bench whose ring counts its look-ups.
type seenBench struct {
	*bench
	lookups lookups
}

func newSeenBench(t testing.TB) *seenBench {
	t.Helper()
	b := &seenBench{bench: newBench(t, signing.ES256)}
	b.ring = signing.NewRing(signing.RingOptions{
		Schedule: b.schedule,
		Backend:  b.keys,
		Now:      b.now,
		Lookups:  &b.lookups,
	})
	require.NoError(t, b.ring.Load(t.Context()))
	return b
}

func (b *seenBench) sign(t testing.TB, typ, id string) string {
	t.Helper()
	token, err := b.ring.Sign(t.Context(), signing.ES256, typ, aging{ID: id, ExpiresAt: start.Add(time.Hour).Unix()})
	require.NoError(t, err)
	return token
}

// reload makes the ring read a schedule whose keys are as change leaves them.
func (b *seenBench) reload(t *testing.T, change func(*signing.Key)) {
	t.Helper()
	keys, err := b.schedule.Keys(t.Context())
	require.NoError(t, err)
	for i := range keys {
		change(&keys[i])
	}

	b.schedule.Set(keys...)
	require.NoError(t, b.ring.Load(t.Context()))
}

func (b *seenBench) verify(t *testing.T, token string, types ...string) error {
	t.Helper()
	payload, err := b.ring.Verify(t.Context(), token, types...)
	if err == nil {
		require.Contains(t, string(payload), `"jti"`)
	}
	return err
}

func TestASignatureIsCheckedOnceUntilTheTokenExpires(t *testing.T) {
	b := newSeenBench(t)
	token := b.sign(t, "at+jwt", "one")
	require.NoError(t, b.verify(t, token, "at+jwt"))
	b.lookups.require(t, 0, 1)
	b.at(start.Add(time.Hour - time.Second))
	require.NoError(t, b.verify(t, token, "at+jwt"))
	require.ErrorIs(t, b.verify(t, token, "JWT"), signing.ErrInvalid, "of another type")
	require.NoError(t, b.verify(t, token, "JWT", "application/AT+JWT"))
	b.lookups.require(t, 3, 1)

	b.at(start.Add(time.Hour))
	require.NoError(t, b.verify(t, token, "at+jwt"), "exp is the caller's to check")
	b.lookups.require(t, 3, 2)
	require.NoError(t, b.ring.Load(t.Context()))
	require.Zero(t, b.ring.Seen())
	require.Zero(t, b.ring.SeenBytes())
}

func TestOnlyValidTokensThatExpireAreRemembered(t *testing.T) {
	b := newSeenBench(t)
	token := b.sign(t, "at+jwt", "one")
	for _, bad := range []string{
		token[:len(token)-4] + "AAAA",
		token + "A",
		token + "\n",
		strings.Repeat("a", signing.MaxToken+1),
		"..",
		"",
	} {
		require.ErrorIs(t, b.verify(t, bad, "at+jwt"), signing.ErrInvalid)
	}
	require.ErrorIs(t, b.verify(t, token, "JWT"), signing.ErrInvalid)
	require.Zero(t, b.ring.Seen())

	for _, claims := range []any{
		struct{}{},
		map[string]any{"exp": "tomorrow"},
		map[string]any{"exp": start.Unix()},
	} {
		forever, err := b.ring.Sign(t.Context(), signing.ES256, "JWT", claims)
		require.NoError(t, err)
		_, err = b.ring.Verify(t.Context(), forever, "JWT")
		require.NoError(t, err)
		require.Zero(t, b.ring.Seen())
	}

	require.NoError(t, b.verify(t, token, "at+jwt"))
	require.Equal(t, 1, b.ring.Seen())
	require.ErrorIs(t, b.verify(t, token[:len(token)-4]+"AAAA", "at+jwt"), signing.ErrInvalid,
		"another signature under the same claims")
}

func TestATokenSeenBeforeEndsWithItsKey(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*signing.Key)
		hint   error // of the same token as a hint
		left   int   // tokens remembered
	}{
		"revoked": {
			change: func(k *signing.Key) { k.RevokedAt = start },
			hint:   signing.ErrInvalid,
		},
		"withdrawn": { // the public half still counts for hints
			change: func(k *signing.Key) { k.RetireAt = start },
			left:   1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSeenBench(t)
			token := b.sign(t, "JWT", "one")
			require.NoError(t, b.verify(t, token, "JWT"))
			require.Equal(t, 1, b.ring.Seen())
			b.reload(t, c.change)
			require.Equal(t, c.left, b.ring.Seen())
			require.ErrorIs(t, b.verify(t, token, "JWT"), signing.ErrInvalid)
			_, err := b.ring.Hints().Verify(t.Context(), token, "JWT")
			require.ErrorIs(t, err, c.hint)
		})
	}

	t.Run("no longer in the schedule", func(t *testing.T) {
		b := newSeenBench(t)
		token := b.sign(t, "JWT", "one")
		require.NoError(t, b.verify(t, token, "JWT"))
		b.schedule.Set(signingtest.NewKey(t, b.keys, signing.ES256, 2, start))
		require.NoError(t, b.ring.Load(t.Context()))
		require.Zero(t, b.ring.Seen())
		require.ErrorIs(t, b.verify(t, token, "JWT"), signing.ErrInvalid)
		_, err := b.ring.Hints().Verify(t.Context(), token, "JWT")
		require.ErrorIs(t, err, signing.ErrInvalid)
	})

	t.Run("retired by the clock, without a reading", func(t *testing.T) {
		b := newSeenBench(t)
		b.reload(t, func(k *signing.Key) { k.RetireAt = start.Add(time.Minute) })
		token := b.sign(t, "JWT", "one")
		require.NoError(t, b.verify(t, token, "JWT"))
		b.at(start.Add(time.Minute))
		require.ErrorIs(t, b.verify(t, token, "JWT"), signing.ErrInvalid)
	})

	t.Run("made a key for logout tokens", func(t *testing.T) {
		b := newSeenBench(t)
		token := b.sign(t, "at+jwt", "one")
		require.NoError(t, b.verify(t, token, "at+jwt"))
		b.reload(t, func(k *signing.Key) { k.Algorithm = k.Algorithm.Logout() })
		require.ErrorIs(t, b.verify(t, token, "at+jwt"), signing.ErrInvalid)
	})
}

func TestAFloodOfValidTokensStaysWithinTheBounds(t *testing.T) {
	t.Run("by number", func(t *testing.T) {
		b := newSeenBench(t)
		b.ring.Remember(5, 1<<20)
		for i := range 30 {
			require.NoError(t, b.verify(t, b.sign(t, "at+jwt", fmt.Sprint(i)), "at+jwt"))
			require.Equal(t, min(i+1, 5), b.ring.Seen())
		}
	})

	t.Run("by size", func(t *testing.T) {
		b := newSeenBench(t)
		b.ring.Remember(100, 20<<10)
		for i := range 30 {
			token, err := b.ring.Sign(t.Context(), signing.ES256, "at+jwt", aging{
				ID:        fmt.Sprint(i),
				ExpiresAt: start.Add(time.Hour).Unix(),
				Scope:     strings.Repeat("x", i*300),
			})
			require.NoError(t, err)
			require.NoError(t, b.verify(t, token, "at+jwt"))
			require.LessOrEqual(t, b.ring.SeenBytes(), 20<<10)
			require.NotZero(t, b.ring.Seen())
		}
	})
}

func TestManyCallersVerifyWhileTheKeyIsRevoked(t *testing.T) {
	b := newSeenBench(t)
	b.ring.Remember(10, 1<<20)
	tokens := make([]string, 20)
	for i := range tokens {
		tokens[i] = b.sign(t, "at+jwt", fmt.Sprint(i))
	}

	var all sync.WaitGroup
	revoked := make(chan struct{})
	for i := range 40 {
		all.Go(func() {
			for n := range 30 {
				_, err := b.ring.Verify(t.Context(), tokens[(i+n)%len(tokens)], "at+jwt")
				if err != nil {
					require.ErrorIs(t, err, signing.ErrInvalid)
				}
			}

			<-revoked
			for _, token := range tokens {
				_, err := b.ring.Verify(t.Context(), token, "at+jwt")
				require.ErrorIs(t, err, signing.ErrInvalid)
			}
		})
	}

	b.reload(t, func(k *signing.Key) { k.RevokedAt = start })
	close(revoked)
	all.Wait()
	require.Zero(t, b.ring.Seen(), "what was being verified meanwhile isn't remembered")
	require.Zero(t, b.ring.SeenBytes())
}

// The figure doesn't depend on the machine: what is allocated are the bytes of the token, to hash
// them.
func TestATokenSeenBeforeCostsOneAllocation(t *testing.T) {
	b := newSeenBench(t)
	token := b.sign(t, "at+jwt", "one")
	require.NoError(t, b.verify(t, token, "at+jwt"))
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		if _, err := b.ring.Verify(t.Context(), token, "at+jwt"); err != nil {
			t.Fatal(err)
		}
	}), 1.0)
}

func BenchmarkVerifySeen(b *testing.B) {
	bench := newSeenBench(b)
	token := bench.sign(b, "at+jwt", "one")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bench.ring.Verify(b.Context(), token, "at+jwt"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyNew(b *testing.B) {
	bench := newSeenBench(b)
	token := bench.sign(b, "at+jwt", "one")
	b.ReportAllocs()
	for b.Loop() {
		bench.ring.Forget()
		if _, err := bench.ring.Verify(b.Context(), token, "at+jwt"); err != nil {
			b.Fatal(err)
		}
	}
}
