package signing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
)

func TestAlgorithmsForLogoutTokens(t *testing.T) {
	for _, alg := range []signing.Algorithm{signing.RS256, signing.PS256, signing.ES256, signing.EdDSA} {
		require.False(t, alg.ForLogout())
		require.True(t, alg.Logout().ForLogout())
		require.Equal(t, alg.Logout(), alg.Logout().Logout())
		require.Equal(t, alg, alg.Logout().JWS())
		require.True(t, alg.Logout().Known())
	}

	require.False(t, signing.Algorithm("logout-HS256").Known())
	require.False(t, signing.Algorithm("logout-").Known())
}

// OpenID Connect Back-Channel Logout 2.4: a key for logout tokens signs nothing else. Even
// if an attacker has it, its signatures don't count on access tokens, ID tokens or hints.
func TestAKeyForLogoutTokensMakesNoOtherToken(t *testing.T) {
	b := newBench(t, signing.ES256, signing.ES256.Logout())
	logout, err := b.ring.Sign(t.Context(), signing.ES256.Logout(), signing.TypeLogoutToken, someClaims)
	require.NoError(t, err)
	payload, err := b.ring.Verify(t.Context(), logout, signing.TypeLogoutToken)
	require.NoError(t, err)
	require.NotEmpty(t, payload)

	for _, typ := range []string{signing.TypeAccessToken, signing.TypeJWT, "token-exchange+jwt", ""} {
		_, err := b.ring.Sign(t.Context(), signing.ES256.Logout(), typ, someClaims)
		require.Error(t, err, typ)

		forged := b.forge(t, signing.ES256.Logout(), typ)
		_, err = b.ring.Verify(t.Context(), forged, typ)
		require.ErrorIs(t, err, signing.ErrInvalid, typ)
		_, err = b.ring.Hints().Verify(t.Context(), forged, typ)
		require.ErrorIs(t, err, signing.ErrInvalid, typ)
	}
}

// forge signs a token of any type with the active key of an algorithm, as an attacker
// with access to the key could.
func (b *bench) forge(t *testing.T, alg signing.Algorithm, typ string) string {
	t.Helper()
	keys, err := b.schedule.Keys(t.Context())
	require.NoError(t, err)

	for _, key := range keys {
		if key.Algorithm == alg {
			// The same key in a schedule that says it were for all tokens.
			key.Algorithm = alg.JWS()
			ring := signing.NewRing(signing.RingOptions{
				Schedule: signingtest.NewSchedule(key),
				Backend:  b.keys,
				Now:      b.now,
			})
			require.NoError(t, ring.Load(t.Context()))
			token, err := ring.Sign(t.Context(), alg.JWS(), typ, someClaims)
			require.NoError(t, err)
			return token
		}
	}

	require.Fail(t, "no such key")
	return ""
}
