package directory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func TestOnlyBrowserAndNativeApplicationsArePublic(t *testing.T) {
	for kind, public := range map[directory.ApplicationType]bool{
		directory.Web:     false,
		directory.Service: false,
		directory.SPA:     true,
		directory.Native:  true,
		"":                false,
		"spa":             false,
	} {
		app := directory.Application{Type: kind}
		require.Equal(t, public, app.Public(), "RFC 6749 2.1: %q", kind)
	}
}

func TestAnApplicationUsesTheGrantsItWasGiven(t *testing.T) {
	app := directory.Application{Grants: []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken}}
	for grant, allowed := range map[oauth.GrantType]bool{
		oauth.GrantAuthorizationCode: true,
		oauth.GrantRefreshToken:      true,
		oauth.GrantClientCredentials: false,
		oauth.GrantDeviceCode:        false,
		oauth.GrantTokenExchange:     false,
		"":                           false,
		"AUTHORIZATION_CODE":         false,
	} {
		require.Equal(t, allowed, app.AllowsGrant(grant), "RFC 6749 5.2, unauthorized_client: %q", grant)
	}

	require.False(t, (&directory.Application{}).AllowsGrant(oauth.GrantAuthorizationCode), "none unless it says so")
}

func TestAnApplicationIsAnsweredAtItsOwnAddressesOnly(t *testing.T) {
	for name, tt := range map[string]struct {
		kind       directory.ApplicationType
		localhost  bool
		registered string
		asked      string
		want       bool
	}{
		"to the letter (RFC 9700 2.1)": {
			kind:       directory.Web,
			registered: "https://app.test/cb",
			asked:      "https://app.test/cb",
			want:       true,
		},
		"not on another path": {
			kind:       directory.Web,
			registered: "https://app.test/cb",
			asked:      "https://app.test/cb/",
		},
		"not with a query of the asker's": {
			kind:       directory.Web,
			registered: "https://app.test/cb",
			asked:      "https://app.test/cb?x=1",
		},
		"not in other letters": {
			kind:       directory.Web,
			registered: "https://app.test/cb",
			asked:      "https://APP.test/cb",
		},
		"not where there is no address": {
			kind:       directory.Web,
			registered: "https://app.test/cb",
			asked:      "",
		},
		"on any loopback port where it is native (RFC 8252 7.3)": {
			kind:       directory.Native,
			registered: "http://127.0.0.1/cb",
			asked:      "http://127.0.0.1:51004/cb",
			want:       true,
		},
		"on any loopback port of IPv6 (RFC 8252 7.3)": {
			kind:       directory.Native,
			registered: "http://[::1]/cb",
			asked:      "http://[::1]:51004/cb",
			want:       true,
		},
		"not on another loopback port where it is not native (RFC 9700 4.1.3)": {
			kind:       directory.SPA,
			registered: "http://127.0.0.1:3000/cb",
			asked:      "http://127.0.0.1:3001/cb",
		},
		"not on another port of localhost (RFC 8252 8.3)": {
			kind:       directory.Native,
			registered: "http://localhost/cb",
			asked:      "http://localhost:51004/cb",
		},
		"on another port of localhost where it opted in (RFC 8252 8.3)": {
			kind:       directory.Native,
			localhost:  true,
			registered: "http://localhost/cb",
			asked:      "http://localhost:51004/cb",
			want:       true,
		},
		"not on another port of localhost where it opted in but is not native": {
			kind:       directory.Web,
			localhost:  true,
			registered: "http://localhost/cb",
			asked:      "http://localhost:51004/cb",
		},
	} {
		t.Run(name, func(t *testing.T) {
			app := directory.Application{
				Type:                   tt.kind,
				AllowLocalhostRedirect: tt.localhost,
				RedirectURIs:           []string{"https://other.test/cb", tt.registered},
			}
			require.Equal(t, tt.want, app.AllowsRedirect(tt.asked))
		})
	}
}
