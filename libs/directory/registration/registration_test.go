package registration_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/registration"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

const issuer = "https://id.example.com/api/v1/platform/oauth"

// web returns an application that keeps every rule.
func web() *directory.Application {
	return &directory.Application{
		ClientID:     "web",
		Name:         "Web",
		Type:         directory.Web,
		ScopeLevel:   directory.Global,
		RedirectURIs: []string{"https://app.example.com/callback"},
		Grants:       []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		Scopes:       oauth.Scopes{"openid"},
	}
}

// check returns the reasons by field.
func check(r registration.Request, rules registration.Rules) map[string]string {
	found := map[string]string{}
	for _, p := range registration.Check(r, rules) {
		found[p.Field] = p.Reason
	}
	return found
}

func TestAnApplicationThatKeepsTheRulesIsAccepted(t *testing.T) {
	require.Empty(t, registration.Check(registration.Request{Application: web()}, registration.Rules{Issuer: issuer}))
}

func TestEachRuleRefusesWhatBreaksIt(t *testing.T) {
	minute := -time.Minute
	for name, test := range map[string]struct {
		change        func(*directory.Application)
		field, reason string
	}{
		"a client id has no spaces": {
			func(a *directory.Application) { a.ClientID = "a b" }, "client_id", "letters, digits",
		},
		"a client id is no user's": {
			func(a *directory.Application) { a.ClientID = "usr_1" }, "client_id", "id of a user",
		},
		"a name is not blank": {
			func(a *directory.Application) { a.Name = " " }, "name", "is required",
		},
		"a type is one of four": {
			func(a *directory.Application) { a.Type = "APP" }, "type", "WEB, SPA, NATIVE or SERVICE",
		},
		"a global application has no tenant": {
			func(a *directory.Application) { a.TenantID = "t" }, "tenant", "for scope_level TENANT only",
		},
		"a tenant's application has its tenant": {
			func(a *directory.Application) { a.ScopeLevel = directory.TenantScoped }, "tenant", "is required",
		},
		"a redirect URI has no fragment": {
			func(a *directory.Application) { a.RedirectURIs[0] += "#f" }, "redirect_uris[0]", "fragment",
		},
		"a redirect URI stands once": {
			func(a *directory.Application) { a.RedirectURIs = append(a.RedirectURIs, a.RedirectURIs[0]) },
			"redirect_uris[1]", "appears twice",
		},
		"http on loopback is for NATIVE": {
			func(a *directory.Application) { a.InitiateLoginURI = "http://127.0.0.1/begin" },
			"initiate_login_uri", "RFC 8252 7.3",
		},
		"a code needs somewhere to go": {
			func(a *directory.Application) { a.RedirectURIs = nil }, "redirect_uris", "at least one",
		},
		"a public application proves nothing": {
			func(a *directory.Application) {
				a.Type, a.Grants = directory.SPA, append(a.Grants, oauth.GrantClientCredentials)
			},
			"grants[2]", "RFC 6749 4.4",
		},
		"a scope is a token": {
			func(a *directory.Application) { a.Scopes = oauth.Scopes{"a b"} }, "scopes[0]", "RFC 6749 3.3",
		},
		"a resource is absolute": {
			func(a *directory.Application) { a.Audiences = []string{"/api"} }, "audiences[0]", "RFC 8707 2",
		},
		"no application serves the issuer": {
			func(a *directory.Application) { a.ResourcesServed = []string{issuer + "/"} },
			"resources_served[0]", "must not be the issuer",
		},
		"keys are public": {
			func(a *directory.Application) { a.JWKS = json.RawMessage(`{}`) }, "jwks", "JWK Set",
		},
		"keys come by https": {
			func(a *directory.Application) { a.JWKSURI = "http://app.example.com/jwks" }, "jwks_uri", "https URL",
		},
		"an algorithm is one of four": {
			func(a *directory.Application) { a.IDTokenAlg = "none" }, "id_token_alg", "RS256",
		},
		"an access token lives a day at most": {
			func(a *directory.Application) { a.AccessTokenTTL = 25 * time.Hour }, "access_token_ttl", "at most 24h",
		},
		"a grace is not negative": {
			func(a *directory.Application) { a.RefreshGrace = &minute }, "refresh_grace", "between 0s and 1m",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := web()
			test.change(a)
			found := check(registration.Request{Application: a}, registration.Rules{Issuer: issuer})
			require.Len(t, found, 1, found)
			require.Contains(t, found[test.field], test.reason)
		})
	}
}

func TestAZeroDurationIsAMistakeOnlyIfItWasGiven(t *testing.T) {
	given := func(field string) bool { return field == "refresh_idle_ttl" }
	found := check(registration.Request{Application: web(), Given: given}, registration.Rules{})
	require.Equal(t, map[string]string{"refresh_idle_ttl": "must be one or more whole seconds"}, found)
}

func TestAnApplicationHasKeysOrASecret(t *testing.T) {
	a := web()
	a.JWKSURI = "https://app.example.com/jwks"
	require.Contains(t, check(registration.Request{Application: a, HasSecret: true}, registration.Rules{})["jwks_uri"],
		"not both")

	a.Type = directory.Native
	require.Contains(t, registration.SecretRefusal(a), "RFC 6749 2.1")
	require.Empty(t, registration.SecretRefusal(web()))
}

func TestASecretChosenByHandIsLongExceptForTryingOut(t *testing.T) {
	short := strings.Repeat("x", registration.MinSecret-1)
	require.Contains(t, registration.Rules{}.WeakSecret(short), "fewer than 32 characters")
	require.Empty(t, registration.Rules{Loopback: true}.WeakSecret(short))
	require.Empty(t, registration.Rules{}.WeakSecret(short+"x"))
}
