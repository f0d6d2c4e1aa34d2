package signingtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// algorithms lists every algorithm there is.
var algorithms = []signing.Algorithm{
	signing.RS256, signing.PS256, signing.ES256, signing.EdDSA, signing.RS256.Logout(), signing.EdDSA.Logout(),
}

// BackendAndMaker is the pair of ports that the suite tests.
type BackendAndMaker interface {
	signing.Backend
	signing.Maker
}

// Run checks that a backend fulfils the contract of both ports. open is called once per subtest
// and may return the same backend each time.
func Run(t *testing.T, open func(t *testing.T) BackendAndMaker) {
	t.Helper()

	for _, alg := range algorithms {
		t.Run(fmt.Sprintf("%s signatures verify with the standard library", alg),
			func(t *testing.T) { signs(t, open(t), alg) })
		t.Run(fmt.Sprintf("%s keeps signing with the key it is told to after a newer one was made", alg),
			func(t *testing.T) { pins(t, open(t), alg) })
		t.Run(fmt.Sprintf("%s signatures made at once are all good", alg),
			func(t *testing.T) { concurrent(t, open(t), alg) })
	}

	t.Run("an algorithm nobody knows makes no key", func(t *testing.T) {
		_, _, err := open(t).Create(t.Context(), "HS256")
		require.Error(t, err)
	})
	t.Run("a key that does not exist is missing", func(t *testing.T) { missing(t, open(t)) })
	t.Run("a deleted key is missing where one can be deleted alone, deleting it again is no error, and the others stay",
		func(t *testing.T) { deleted(t, open(t)) })
	t.Run("what nothing refers to yet, and what something does, signs after reconciling",
		func(t *testing.T) { reconciled(t, open(t)) })
	t.Run("a caller that went away gets no signature", func(t *testing.T) { canceled(t, open(t)) })
}

// NewKey creates a key in a backend, with the times of a first key: published and active from
// now on.
func NewKey(t testing.TB, maker signing.Maker, alg signing.Algorithm, generation int, now time.Time) signing.Key {
	t.Helper()
	ref, public, err := maker.Create(t.Context(), alg)
	require.NoError(t, err)
	require.NotEmpty(t, ref)
	require.True(t, alg.Fits(public), "%T for %s", public, alg)

	return signing.Key{
		KID:         signing.Thumbprint(public),
		Algorithm:   alg,
		Generation:  generation,
		Ref:         ref,
		PublicKey:   public,
		PublishedAt: now,
		ActiveFrom:  now,
	}
}

func newKey(t *testing.T, b BackendAndMaker, alg signing.Algorithm) signing.Key {
	t.Helper()
	return NewKey(t, b, alg, 1, time.Now())
}

func signs(t *testing.T, b BackendAndMaker, alg signing.Algorithm) {
	key := newKey(t, b, alg)
	for _, input := range []string{"", "header.payload", string(make([]byte, 20_000))} {
		signature, err := b.Sign(t.Context(), key, []byte(input))
		require.NoError(t, err)
		require.NoError(t, Check(key, []byte(input), signature))
		require.Error(t, Check(key, []byte(input+"x"), signature))
	}
}

func pins(t *testing.T, b BackendAndMaker, alg signing.Algorithm) {
	first := newKey(t, b, alg)
	second := newKey(t, b, alg)
	require.NotEqual(t, first.KID, second.KID)
	require.NotEqual(t, first.Ref, second.Ref)
	input := []byte("header.payload")
	signature, err := b.Sign(t.Context(), first, input)
	require.NoError(t, err)
	require.NoError(t, Check(first, input, signature))
	require.Error(t, Check(second, input, signature))
}

func concurrent(t *testing.T, b BackendAndMaker, alg signing.Algorithm) {
	key := newKey(t, b, alg)
	errs := make([]error, 32)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			input := fmt.Appendf(nil, "input number %d", i)
			signature, err := b.Sign(t.Context(), key, input)
			if err == nil {
				err = Check(key, input, signature)
			}
			errs[i] = err
		})
	}

	all.Wait()
	require.NoError(t, errors.Join(errs...))
}

func missing(t *testing.T, b BackendAndMaker) {
	key := newKey(t, b, signing.ES256)
	for _, ref := range []string{"", "nothing", "../" + key.Ref, key.Ref + "x", "/etc/passwd"} {
		unknown := key
		unknown.Ref = ref
		_, err := b.Sign(t.Context(), unknown, []byte("input"))
		require.ErrorIs(t, err, signing.ErrKeyMissing, "ref %q", ref)
		require.NoError(t, b.Delete(t.Context(), ref), "ref %q", ref)
	}

	_, err := b.Sign(t.Context(), key, []byte("input"))
	require.NoError(t, err, "deleting what does not exist harms nothing")
}

func deleted(t *testing.T, b BackendAndMaker) {
	key := newKey(t, b, signing.ES256)
	other := newKey(t, b, signing.ES256)
	require.NoError(t, b.Delete(t.Context(), key.Ref))
	require.NoError(t, b.Delete(t.Context(), key.Ref))
	if _, err := b.Sign(t.Context(), key, []byte("input")); err != nil {
		require.ErrorIs(t, err, signing.ErrKeyMissing)
	}

	_, err := b.Sign(t.Context(), other, []byte("input"))
	require.NoError(t, err)
}

func reconciled(t *testing.T, b BackendAndMaker) {
	known, other := newKey(t, b, signing.EdDSA), newKey(t, b, signing.ES256)
	unknown := newKey(t, b, signing.EdDSA)
	for _, schedule := range [][]signing.Key{{known, other}, {known, other, unknown}, {unknown}} {
		left, err := b.Reconcile(t.Context(), signing.EdDSA, schedule)
		require.NoError(t, err)

		for _, key := range []signing.Key{known, other, unknown} {
			_, err := b.Sign(t.Context(), key, []byte("input"))
			require.NoError(t, err, "generation %d of %s", key.Generation, key.Algorithm)
		}

		if left == nil {
			continue
		}

		require.NotContains(t, refs(schedule), left.Ref)
		require.Equal(t, unknown.Ref, left.Ref, "the newest")
		require.Equal(t, unknown.PublicKey, left.PublicKey)
	}
}

func refs(schedule []signing.Key) (list []string) {
	for _, key := range schedule {
		list = append(list, key.Ref)
	}
	return list
}

func canceled(t *testing.T, b BackendAndMaker) {
	key := newKey(t, b, signing.ES256)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Sign(ctx, key, []byte("input"))
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, signing.ErrKeyMissing)
	_, _, err = b.Create(ctx, signing.ES256)
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.Reconcile(ctx, signing.ES256, nil)
	require.ErrorIs(t, err, context.Canceled)
}
