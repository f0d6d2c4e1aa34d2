package signing_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

func TestAHintIsAnIDTokenOfThisIssuerWhateverItsAge(t *testing.T) {
	b := newBench(t, signing.ES256)
	const issuer = "https://id.example"
	read := func(typ string, claims map[string]any) (*signing.Hint, error) {
		token, err := b.ring.Sign(t.Context(), signing.ES256, typ, claims)
		require.NoError(t, err)
		return b.ring.Hints().Read(t.Context(), token, issuer)
	}

	hint, err := read("JWT", map[string]any{
		"iss": issuer,
		"sub": "usr_ada",
		"aud": []string{"billing", "reports"},
		"azp": "reports",
		"sid": "ses_1",
		"exp": start.Add(-time.Hour).Unix(),
	})
	require.NoError(t, err)
	require.Equal(t, "usr_ada", hint.Subject)
	require.Equal(t, "ses_1", hint.SessionID)
	require.Equal(t, "reports", hint.Client(), "azp takes precedence")
	require.True(t, hint.For("billing"))
	require.False(t, hint.For("shop"))

	hint, err = read("JWT", map[string]any{"iss": issuer, "aud": "billing"})
	require.NoError(t, err)
	require.Equal(t, "billing", hint.Client(), "a single audience is a string")
	require.False(t, hint.For("billing"), "a token without a subject names no person")

	for name, claims := range map[string]map[string]any{
		"another issuer's":    {"iss": "https://other.example", "sub": "usr_ada", "aud": "billing"},
		"without an audience": {"iss": issuer, "sub": "usr_ada"},
		"a strange audience":  {"iss": issuer, "sub": "usr_ada", "aud": 7},
	} {
		_, err := read("JWT", claims)
		require.ErrorIs(t, err, signing.ErrInvalid, name)
	}

	_, err = read("at+jwt", map[string]any{"iss": issuer, "sub": "usr_ada", "aud": "billing"})
	require.ErrorIs(t, err, signing.ErrInvalid, "an access token isn't a hint")
}

func TestAHintThatNoKeyCanCheckIsNotCalledInvalid(t *testing.T) {
	signed := newBench(t, signing.ES256)
	token, err := signed.ring.Sign(t.Context(), signing.ES256, "JWT", map[string]any{"iss": "https://id.example"})
	require.NoError(t, err)

	empty := newBench(t)
	_, err = empty.ring.Hints().Read(t.Context(), token, "https://id.example")
	require.ErrorIs(t, err, signing.ErrNoKey)
	require.NotErrorIs(t, err, signing.ErrInvalid)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = empty.ring.Hints().Read(ctx, token, "https://id.example")
	require.NotErrorIs(t, err, signing.ErrInvalid)
}
