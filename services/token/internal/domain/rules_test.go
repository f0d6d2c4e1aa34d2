package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
)

func requireCode(t *testing.T, err error, code oauth.Code) {
	t.Helper()
	var wire *oauth.Error
	require.ErrorAs(t, err, &wire)
	require.Equal(t, code, wire.Code)
}

func TestTarget(t *testing.T) {
	app := &directory.Application{
		Audiences:       []string{"https://a.test", "https://b.test"},
		DefaultAudience: "https://default.test",
	}
	for name, tt := range map[string]struct {
		bound     string
		requested []string
		want      string
		fail      bool
	}{
		"nothing authorized, nothing asked": {},
		"what was authorized is the answer": {bound: "https://a.test", want: "https://a.test"},
		"asking for it again changes nothing": {
			bound:     "https://a.test",
			requested: []string{"https://a.test"},
			want:      "https://a.test",
		},
		"another than the one authorized": {
			bound:     "https://a.test",
			requested: []string{"https://b.test"},
			fail:      true,
		},
		"one of the application's own": {requested: []string{"https://b.test"}, want: "https://b.test"},
		"the application's default": {
			requested: []string{"https://default.test"},
			want:      "https://default.test",
		},
		"an unknown one":              {requested: []string{"https://c.test"}, fail: true},
		"one that differs in a slash": {requested: []string{"https://a.test/"}, fail: true},
		"two of them": {
			requested: []string{"https://a.test", "https://b.test"},
			fail:      true,
		},
		"the same twice is one (resource, audience)": {
			requested: []string{"https://a.test", "https://a.test"},
			want:      "https://a.test",
		},
		"the same twice with another in between them": {
			requested: []string{"https://a.test", "https://b.test", "https://a.test"},
			fail:      true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := domain.Target(app, tt.bound, tt.requested)
			if tt.fail {
				requireCode(t, err, oauth.InvalidTarget) // RFC 8707 2
				return
			}

			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}

	_, err := domain.Target(&directory.Application{}, "", []string{""})
	require.NoError(t, err, "edges leave empty values out; an empty one asks for nothing")
}

// RFC 8707 2.2: what a person was not asked for is not granted.
func TestAResourceIsTheOneThatThePersonAllowed(t *testing.T) {
	const a, b, standard = "https://a.test", "https://b.test", "https://default.test"
	for name, tt := range map[string]struct {
		bound, standard, requested string
		firstParty                 bool
		want                       string
		fail                       bool
	}{
		"nothing was named":                 {},
		"nothing was named, so the default": {standard: standard, want: standard},
		"the default, by name": {
			standard:  standard,
			requested: standard,
			want:      standard,
		},
		"another of the application's that was never shown": {standard: standard, requested: a, fail: true},
		"one where there is no default":                     {requested: a, fail: true},
		"what was shown":                                    {bound: a, standard: standard, requested: a, want: a},
		"what was shown, unnamed now":                       {bound: a, standard: standard, want: a},
		"another than was shown":                            {bound: a, requested: b, fail: true},
		"the default where another was shown": {
			bound:     a,
			standard:  standard,
			requested: standard,
			fail:      true,
		},
		"of a first party whatever the operator registered": {
			standard:   standard,
			requested:  b,
			firstParty: true,
			want:       b,
		},
		"of a first party nothing else": {
			requested:  "https://c.test",
			firstParty: true,
			fail:       true,
		},
		"of a first party only the one that it began with":    {bound: a, requested: b, firstParty: true, fail: true},
		"of a first party nothing, and more may be named yet": {standard: standard, firstParty: true},
	} {
		t.Run(name, func(t *testing.T) {
			app := &directory.Application{
				Audiences:       []string{a, b},
				DefaultAudience: tt.standard,
				FirstParty:      tt.firstParty,
			}
			var requested []string
			if tt.requested != "" {
				requested = []string{tt.requested}
			}

			got, err := domain.GrantedTarget(app, tt.bound, requested)
			if tt.fail {
				requireCode(t, err, oauth.InvalidTarget)
				return
			}

			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// RFC 9068 3, RFC 8707 2.
func TestAudienceOf(t *testing.T) {
	const issuer = "https://id.test"
	plain := &directory.Application{ClientID: "app"}
	with := &directory.Application{ClientID: "app", DefaultAudience: "https://default.test"}
	api, person := oauth.Scopes{"api:read"}, oauth.Scopes{"openid", "api:read"}
	for name, tt := range map[string]struct {
		app      *directory.Application
		resource string
		scope    oauth.Scopes
		want     signing.Audience
	}{
		"the issuer where there is nothing else": {plain, "", api, signing.Audience{issuer}},
		"the issuer is not added to itself":      {plain, "", person, signing.Audience{issuer}},
		"the default audience":                   {with, "", api, signing.Audience{"https://default.test"}},
		"the default audience and, with openid, us": {
			with, "", person, signing.Audience{"https://default.test", issuer},
		},
		"the resource goes before the default": {with, "https://a.test", api, signing.Audience{"https://a.test"}},
		"the resource and, with openid, the issuer": {
			with, "https://a.test", person, signing.Audience{"https://a.test", issuer},
		},
		"a default that is the issuer stands once": {
			&directory.Application{DefaultAudience: issuer}, "", person, signing.Audience{issuer},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := domain.AudienceOf(tt.app, tt.resource, issuer, tt.scope)
			require.Equal(t, tt.want, got)
			require.NotContains(t, got, "app", "never the client")
		})
	}
}

func TestOwnScope(t *testing.T) {
	app := &directory.Application{Scopes: oauth.Scopes{
		"openid", "profile", "email", "address", "phone", "offline_access", "api:read", "api:write",
	}}
	for name, tt := range map[string]struct {
		requested string
		want      string
		fail      bool
	}{
		"nothing asked for: all but the personal ones": {"", "api:read api:write", false},
		"only spaces ask for nothing":                  {"  ", "api:read api:write", false},
		"a part":                                       {"api:write", "api:write", false},
		"in the order asked":                           {"api:write api:read", "api:write api:read", false},
		"openid needs a person":                        {"openid api:read", "", true},
		"offline_access needs a person":                {"offline_access", "", true},
		"email needs a person":                         {"email", "", true},
		"an unknown one":                               {"api:read api:delete", "", true},
		"malformed":                                    {`api:read "x"`, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := domain.OwnScope(app, tt.requested)
			if tt.fail {
				requireCode(t, err, oauth.InvalidScope) // RFC 6749 5.2
				return
			}

			require.NoError(t, err)
			require.Equal(t, tt.want, got.String())
		})
	}
}

// RFC 6749 3.3.
func TestAGrantCoversNoScopeThatTheApplicationHasLost(t *testing.T) {
	app := &directory.Application{Scopes: oauth.Scopes{"openid", "email"}}
	got, err := domain.GrantedScope(app, oauth.Scopes{"email", "openid", "api:read"})
	require.NoError(t, err)
	require.Equal(t, oauth.Scopes{"email", "openid"}, got)
	_, err = domain.GrantedScope(app, oauth.Scopes{"api:read"})
	requireCode(t, err, oauth.InvalidScope)
}

func TestUserInfoTellsWhatTheScopesAskFor(t *testing.T) {
	user := &directory.User{
		ID:            "usr_1",
		Email:         "ada@acme.test",
		EmailVerified: true,
		Name:          "Ada Lovelace",
		GivenName:     "Ada",
		FamilyName:    "Lovelace",
		UpdatedAt:     time.Unix(1700000000, 0).UTC(),
		Claims: map[string]any{
			"locale":       "en-GB",
			"zoneinfo":     "Europe/London",
			"picture":      "https://p.test/a.png",
			"phone_number": "+44 20 7946 0000",
			"address":      map[string]any{"country": "GB"},
			"nickname":     "",
			"website":      nil,
			"sub":          "usr_evil",
			"email":        "evil@acme.test",
			"tenant_id":    "tnt_evil",
			"salary":       1,
		},
	}

	tenant := &directory.Tenant{ID: "tnt_1", Slug: "acme"}
	base := map[string]any{"sub": "usr_1", "tenant_id": "tnt_1", "tenant_slug": "acme"}
	for scope, more := range map[string]map[string]any{
		"openid": {},
		"openid profile": {
			"name":        "Ada Lovelace",
			"given_name":  "Ada",
			"family_name": "Lovelace",
			"updated_at":  int64(1700000000),
			"locale":      "en-GB",
			"zoneinfo":    "Europe/London",
			"picture":     "https://p.test/a.png",
		},
		"openid email":    {"email": "ada@acme.test", "email_verified": true},
		"openid phone":    {"phone_number": "+44 20 7946 0000"},
		"openid address":  {"address": map[string]any{"country": "GB"}},
		"openid api:read": {},
	} {
		t.Run(scope, func(t *testing.T) {
			want := map[string]any{}
			for _, part := range []map[string]any{base, more} {
				for k, v := range part {
					want[k] = v
				}
			}

			scopes, _ := oauth.ParseScopes(scope)
			require.Equal(t, want, domain.UserInfo(user, tenant, scopes), "OpenID Connect Core 5.4")
		})
	}

	require.Equal(t, map[string]any{"sub": "usr_2", "tenant_id": "", "tenant_slug": ""},
		domain.UserInfo(&directory.User{ID: "usr_2"}, &directory.Tenant{},
			oauth.Scopes{"openid", "profile", "email", "phone", "address"}),
		"what is not known is left out (5.3.2)")
}
