package oauth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func TestEveryGrantTypeHasANameOfItsOwn(t *testing.T) {
	require.NotEmpty(t, oauth.GrantTypes())
	require.Len(t, oauth.GrantNames(), len(oauth.GrantTypes()))

	for i, grant := range oauth.GrantTypes() {
		name := oauth.GrantNames()[i]
		require.Equal(t, name, grant.Name())
		require.Regexp(t, `^[a-z_]+$`, name)

		parsed, ok := oauth.ParseGrantName(name)
		require.True(t, ok, name)
		require.Equal(t, grant, parsed)
	}
}

func TestAnUnknownGrantTypeIsItsOwnName(t *testing.T) {
	require.Equal(t, "password", oauth.GrantType("password").Name())
	require.False(t, oauth.GrantType("password").Confidential())

	grant, ok := oauth.ParseGrantName("password")
	require.False(t, ok)
	require.Empty(t, grant)
}

// RFC 6749 4.4, RFC 8693 2.1: only an application that can authenticate acts in its own name or
// exchanges the tokens of others.
func TestPublicApplicationsMayNotUseEveryGrantType(t *testing.T) {
	for grant, confidential := range map[oauth.GrantType]bool{
		oauth.GrantAuthorizationCode: false,
		oauth.GrantRefreshToken:      false,
		oauth.GrantClientCredentials: true,
		oauth.GrantDeviceCode:        false,
		oauth.GrantTokenExchange:     true,
	} {
		require.Equal(t, confidential, grant.Confidential(), grant)
	}
}
