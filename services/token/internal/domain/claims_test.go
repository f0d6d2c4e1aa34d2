package domain_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
)

func TestAccessTokenHash(t *testing.T) {
	// The example of OpenID Connect Core A.3.
	const token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
	require.Equal(t, "77QmUPtjPfzWtF2AnpK9RQ", domain.AccessTokenHash(signing.RS256, token))
	require.Equal(t, "77QmUPtjPfzWtF2AnpK9RQ", domain.AccessTokenHash(signing.ES256, token))
	require.Len(t, domain.AccessTokenHash(signing.EdDSA, token), 43, "half of SHA-512, as Ed25519 hashes")
}

// OpenID Connect Core 2, 5.4.
func TestClaimsAboutThePersonReplaceNoneOfTheIDToken(t *testing.T) {
	b, err := json.Marshal(domain.IDToken{
		Subject: "usr_1", Audience: signing.Audience{"app"},
		Person: map[string]any{"sub": "usr_evil", "aud": "evil", "azp": "evil", "email": "ada@acme.test"},
	})
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(b, &got))
	require.Equal(t, "usr_1", got["sub"])
	require.Equal(t, "app", got["aud"])
	require.Empty(t, got["azp"])
	require.Equal(t, "ada@acme.test", got["email"])
}
