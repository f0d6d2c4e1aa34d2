package oauth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func TestThePathsAreThoseOfTheContract(t *testing.T) {
	paths := map[string]string{}
	for _, route := range api.Routes {
		paths[route.OperationID] = route.Path
	}

	require.Equal(t, oauth.PlatformPath+"/.well-known/jwks.json", paths["jwks"])
	require.Equal(t, oauth.IssuerPath+"/.well-known/openid-configuration", paths["openidConfiguration"])
	require.Equal(t, oauth.FlowsPath+"{flow}", paths["flow"])
	require.Equal(t, oauth.DevicePath, paths["devicePage"])
	require.Equal(t, oauth.AccountPath, paths["account"])
	require.Equal(t, "/.well-known/oauth-authorization-server"+oauth.IssuerPath, paths["authorizationServerMetadata"],
		"RFC 8414 3.1: the issuer's path follows the well-known one")
}
