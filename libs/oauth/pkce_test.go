package oauth_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// The pair of RFC 7636 appendix B.
const (
	rfcVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	rfcChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestVerifyS256(t *testing.T) {
	require.True(t, oauth.VerifyS256(rfcChallenge, rfcVerifier), "RFC 7636 appendix B")
	require.False(t, oauth.VerifyS256(rfcChallenge, rfcVerifier+"x"))
	require.False(t, oauth.VerifyS256(rfcVerifier, rfcVerifier), "plain is not S256")
	require.False(t, oauth.VerifyS256("", rfcVerifier))
	require.False(t, oauth.VerifyS256(rfcChallenge+"=", rfcVerifier), "padding is not part of it")
}

// RFC 7636 4.1, 4.2.
func TestFormOfVerifiersAndChallenges(t *testing.T) {
	for name, tt := range map[string]struct {
		value string
		want  bool
	}{
		"42 characters are too few":            {strings.Repeat("a", 42), false},
		"43 characters are enough":             {strings.Repeat("a", 43), true},
		"128 characters are the most":          {strings.Repeat("a", 128), true},
		"129 characters are too many":          {strings.Repeat("a", 129), false},
		"every unreserved character":           {"AZaz09-._~" + strings.Repeat("x", 40), true},
		"a plus sign is base64, not base64url": {strings.Repeat("a", 42) + "+", false},
		"padding":                              {strings.Repeat("a", 43) + "=", false},
		"a space":                              {strings.Repeat("a", 43) + " ", false},
		"a letter beyond ASCII":                {strings.Repeat("a", 43) + "é", false},
		"nothing":                              {"", false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tt.want, oauth.ValidPKCE(tt.value)) })
	}
}

func FuzzPKCE(f *testing.F) {
	f.Add(rfcChallenge, rfcVerifier)
	f.Add("", "")
	f.Fuzz(func(t *testing.T, challenge, verifier string) {
		if oauth.VerifyS256(challenge, verifier) && !oauth.ValidPKCE(challenge) {
			t.Fatalf("a challenge outside the grammar verified: %q", challenge)
		}
		if oauth.ValidPKCE(verifier) && strings.Trim(verifier,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") != "" {
			t.Fatalf("reserved characters passed: %q", verifier)
		}
	})
}
