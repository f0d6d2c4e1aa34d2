package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
)

func TestRefreshedScope(t *testing.T) {
	family := oauth.Scopes{"openid", "email", "api:read"}
	for name, tt := range map[string]struct {
		requested string
		want      oauth.Scopes
	}{
		"nothing asked for: all of it (RFC 6749 6)": {"", family},
		"only spaces":     {"  ", family},
		"all of it":       {"openid email api:read", family},
		"less":            {"api:read", oauth.Scopes{"api:read"}},
		"more":            {"openid email api:read api:write", nil},
		"something else":  {"api:write", nil},
		"a control sign":  {"openid\x7f", nil},
		"a quoted scope":  {`"openid"`, nil},
		"another capital": {"OpenID", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := domain.RefreshedScope(family, tt.requested)
			if tt.want == nil {
				requireCode(t, err, oauth.InvalidScope)
				return
			}

			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// However it is asked, no scope is answered that was not granted.
func FuzzRefreshedScope(f *testing.F) {
	f.Add("openid api:read", "openid")
	f.Add("a b", "a\x00b")
	f.Fuzz(func(t *testing.T, granted, requested string) {
		family, ok := oauth.ParseScopes(granted)
		if !ok {
			return
		}

		got, err := domain.RefreshedScope(family, requested)
		if err == nil && !family.Contains(got...) {
			t.Fatalf("%q of %q", got, family)
		}
	})
}

func TestWhoMayIntrospectAnAccessToken(t *testing.T) {
	token := &domain.AccessToken{
		ClientID: "app",
		Audience: signing.Audience{"https://api.test", "https://id.test/oauth"},
	}
	for name, tt := range map[string]struct {
		app  directory.Application
		want bool
	}{
		"its client": {directory.Application{ClientID: "app"}, true},
		"a server of a resource it is for": {
			directory.Application{ClientID: "api", ResourcesServed: []string{"https://x.test", "https://api.test"}},
			true,
		},
		"a server of another": {
			directory.Application{ClientID: "api", ResourcesServed: []string{"https://api.test/"}}, false,
		},
		"who may ask for the resource": {
			directory.Application{ClientID: "api", Audiences: []string{"https://api.test"}}, false,
		},
		"a server of the issuer": {
			directory.Application{ClientID: "api", ResourcesServed: []string{"https://id.test/oauth"}}, false,
		},
		"any application": {directory.Application{ClientID: "api"}, false},
	} {
		require.Equal(t, tt.want, domain.MayIntrospect(&tt.app, token, "https://id.test/oauth"), "RFC 7662 4: %s", name)
	}
}
