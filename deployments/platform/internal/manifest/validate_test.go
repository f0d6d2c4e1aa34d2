package manifest_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
)

// public are the rules of a platform that the world can reach.
var public = manifest.Rules{}

// refusals are the problems of a file as "line path: reason".
func refusals(t *testing.T, text string, rules manifest.Rules) []string {
	t.Helper()
	doc, err := manifest.Parse("platform.yaml", strings.NewReader(text))
	if err == nil {
		err = doc.Validate(rules)
	}
	if err == nil {
		return nil
	}

	var problems manifest.Problems
	require.ErrorAs(t, err, &problems)
	var list []string
	for _, p := range problems {
		require.Equal(t, "platform.yaml", p.File)
		list = append(list, fmt.Sprintf("%d %s: %s", p.Line, p.Path, p.Reason))
	}

	return list
}

type refusal struct{ text, want string }

func check(t *testing.T, cases map[string]refusal) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := refusals(t, c.text, public)
			require.Len(t, got, 1)
			require.Contains(t, got[0], c.want)
		})
	}
}

func TestATenantIsRefused(t *testing.T) {
	check(t, map[string]refusal{
		"without a slug": {"tenants:\n  - name: Acme", "2 tenants[0].slug: must be 1 to 63"},
		"with a slug in upper case": {
			"tenants:\n  - name: Acme\n    slug: Acme", "3 tenants[0].slug: must be 1 to 63",
		},
		"with a slug that is taken": {
			"tenants:\n  - {slug: a, name: A}\n  - {slug: a, name: B}",
			"3 tenants[1].slug: tenant \"a\" appears twice",
		},
		"without a name": {"tenants:\n  - slug: a", "2 tenants[0].name: is required"},
		"with a domain in upper case": {
			"tenants:\n  - slug: a\n    name: A\n    domains:\n      - Acme.test",
			"5 tenants[0].domains[0]: \"Acme.test\" isn't a lower-case domain name",
		},
		"with a domain of one label": {
			"tenants:\n  - {slug: a, name: A, domains: [localhost]}", "isn't a lower-case domain name",
		},
		"with a domain of another one": {
			"tenants:\n  - {slug: a, name: A, domains: [a.test]}\n  - {slug: b, name: B, domains: [a.test]}",
			"3 tenants[1].domains[0]: domain \"a.test\" appears twice",
		},
		"with a colour by name": {
			"tenants:\n  - slug: a\n    name: A\n    color: red",
			"4 tenants[0].color: must be a colour such as #2f4fd0",
		},
		"with an identity provider": {
			"tenants:\n  - slug: a\n    name: A\n    identity_provider:\n      issuer: https://idp.test\n      client_id: x", "4 tenants[0].identity_provider: isn't supported in this version",
		},
	})
}

func TestAUserIsRefused(t *testing.T) {
	const hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	with := func(lines string) string { return "users:\n  - email: ada@acme.test\n    " + lines }
	check(t, map[string]refusal{
		"without an address": {
			"users:\n  - name: Ada", "2 users[0].email: must be one e-mail address",
		},
		"with a name before the address": {
			"users:\n  - email: Ada <ada@acme.test>", "2 users[0].email: must be one",
		},
		"with an address of a literal domain": {
			"users:\n  - email: \"ada@[127.0.0.1]\"", "must be one e-mail address",
		},
		"with an address in another case": {
			"users:\n  - email: ada@acme.test\n  - email: Ada@Acme.test",
			"3 users[1].email: user \"ada@acme.test\" appears twice",
		},
		"with a password and a hash": {
			with("password: x\n    password_hash: " + hash),
			"4 users[0].password_hash: give password or password_hash, not both",
		},
		"with an endless password": {
			with("password: " + strings.Repeat("x", 1025)), "3 users[0].password: is longer than 1024 bytes",
		},
		"with a bcrypt hash": {
			with("password_hash: $2y$10$abcdefghijklmnopqrstuv"),
			"3 users[0].password_hash: password: not an acceptable argon2id PHC string",
		},
		"with a hash of too much memory": {
			with("password_hash: " + strings.Replace(hash, "m=19456", "m=999999999", 1)), "m is more than 262144 KiB",
		},
		"with a hash of too many passes": {
			with("password_hash: " + strings.Replace(hash, "t=2", "t=11", 1)), "t is not between 1 and 10",
		},
		"with a hash of too little memory": {
			with("password_hash: " + strings.Replace(hash, "m=19456", "m=7", 1)), "m is less than 8 KiB a thread",
		},
		"with a claim that the platform makes": {
			with("claims:\n      locale: en\n      sub: root"),
			"5 users[0].claims.sub: is a claim that the platform sets itself",
		},
		"with a claim that isn't JSON": {
			with("claims: {height: .inf}"), "3 users[0].claims.height: is a number that JSON does not have",
		},
		"with a claim that is given twice inside": {
			with("claims:\n      address:\n        country: GB\n        country: FR"),
			"6 users[0].claims.address.country: appears twice, first in line 5",
		},
		"with a tenant twice": {
			with("tenants:\n      - a\n      - a"), "5 users[0].tenants[1]: \"a\" appears twice",
		},
	})

	require.Empty(t, refusals(t, with("password_hash: "+strings.Replace(hash, "m=19456,t=2", "m=4096,t=3", 1)), public),
		"a cheaper hash of another system may come: it is made dearer when its owner signs in")
}

const web = `applications:
  - client_id: app
    name: App
    type: WEB
    scope_level: GLOBAL
    `

func of(kind string) string { return strings.Replace(web, "WEB", kind, 1) }

func TestAnApplicationIsRefused(t *testing.T) {
	check(t, map[string]refusal{
		"without a client id": {
			strings.Replace(web, "client_id: app", "first_party: true", 1),
			"2 applications[0].client_id: must be 1 to 128 letters",
		},
		"with a space in its client id": {
			strings.Replace(web, "client_id: app", "client_id: my app", 1),
			"2 applications[0].client_id: must be 1 to 128",
		},
		"that looks like a user": {
			strings.Replace(web, "client_id: app", "client_id: usr_x", 1),
			"must not look like the id of a user or tenant",
		},
		"that looks like a tenant": {
			strings.Replace(web, "client_id: app", "client_id: tnt_x", 1),
			"must not look like the id of a user or tenant",
		},
		"that stands here twice": {
			web + "\n  - {client_id: app, name: B, type: SPA, scope_level: GLOBAL}",
			"7 applications[1].client_id: application \"app\" appears twice",
		},
		"without a name": {
			strings.Replace(web, "name: App", "name: ' '", 1), "3 applications[0].name: is required",
		},
		"of an unknown type": {
			of("DESKTOP"), "4 applications[0].type: must be WEB, SPA, NATIVE or SERVICE",
		},
		"of an unknown scope level": {
			strings.Replace(web, "GLOBAL", "LOCAL", 1), "5 applications[0].scope_level: must be GLOBAL or TENANT",
		},
		"of a tenant and none named": {
			strings.Replace(web, "GLOBAL", "TENANT", 1), "2 applications[0].tenant: is required for scope_level TENANT",
		},
		"global with a tenant": {
			web + "tenant: acme", "6 applications[0].tenant: is for scope_level TENANT only",
		},
		"whose key set has no key": {
			web + "jwks: {keys: []}", "6 applications[0].jwks: has no key to verify RS256",
		},
		"whose key set is none": {
			web + "jwks: [1]", "6 applications[0].jwks: must be a JWK Set of public keys",
		},
		"with a key that is secret": {
			web + "jwks: {keys: [{kty: oct, k: AAAA}]}", "6 applications[0].jwks: must be a JWK Set of public keys",
		},
		"with keys in two places": {
			web + "jwks: {keys: []}\n    jwks_uri: https://app.test/jwks",
			"applications[0].jwks: give jwks or jwks_uri, not both",
		},
		"with keys and a secret": {
			web + "jwks_uri: https://app.test/jwks\n    client_secret: 0123456789012345678901234567890123",
			"applications[0].jwks_uri: give keys or a client secret",
		},
		"public with keys": {
			of("SPA") + "jwks_uri: https://app.test/jwks", "6 applications[0].jwks_uri: a SPA application is public",
		},
		"with keys at no address": {
			web + "jwks_uri: keys", "6 applications[0].jwks_uri: must be an https URL",
		},
		"with keys at an open address": {
			web + "jwks_uri: http://app.test/jwks", "6 applications[0].jwks_uri: must be an https URL",
		},
		"with an audience but no keys": {
			web + "token_endpoint_audience: true",
			"6 applications[0].token_endpoint_audience: applies to client assertions",
		},
		"with keys and a fragment": {
			web + "jwks_uri: https://app.test/jwks#1", "6 applications[0].jwks_uri: must be an https URL",
		},
		"with an unknown grant": {
			web + "grants: [password]", "6 applications[0].grants[0]: \"password\" isn't a grant",
		},
		"with a grant twice": {
			web + "grants: [device_code, device_code]",
			"applications[0].grants[1]: \"device_code\" appears twice",
		},
		"with two scopes in one": {
			web + "scopes: [openid email]", "6 applications[0].scopes[0]: isn't a scope token",
		},
		"with a scope twice": {
			web + "scopes: [openid, openid]", "applications[0].scopes[1]: \"openid\" appears twice",
		},
		"with a relative audience": {
			web + "audiences: [api]", "6 applications[0].audiences[0]: must be an absolute URI without a fragment",
		},
		"with a fragment in an audience": {
			web + "resources_served: [\"https://api.test/#x\"]", "resources_served[0]: must be an absolute URI",
		},
		"with a relative default audience": {
			web + "default_audience: api", "6 applications[0].default_audience: must be an absolute URI",
		},
		"with an unknown algorithm": {
			web + "access_token_alg: HS256", "6 applications[0].access_token_alg: must be RS256, PS256, ES256 or EdDSA",
		},
		"with algorithm none": {
			web + "id_token_alg: none", "6 applications[0].id_token_alg: must be RS256",
		},
		"with a duration in words": {
			web + "access_token_ttl: an hour", "6 applications[0].access_token_ttl: must be a duration such as",
		},
		"with a duration without a unit": {
			web + "access_token_ttl: 3600", "6 applications[0].access_token_ttl: must be a duration such as",
		},
		"with a duration of nothing": {web + "access_token_ttl: 0s", "must be one or more whole seconds"},
		"with a negative duration": {
			web + "refresh_token_ttl: -1h", "6 applications[0].refresh_token_ttl: must be one or more whole seconds",
		},
		"with a fraction of a second": {web + "refresh_idle_ttl: 1500ms", "must be one or more whole seconds"},
		"idle for longer than it lives": {
			web + "refresh_token_ttl: 1h\n    refresh_idle_ttl: 2h",
			"7 applications[0].refresh_idle_ttl: is more than refresh_token_ttl",
		},
		"with a long grace": {
			web + "refresh_grace: 2m", "6 applications[0].refresh_grace: must be between 0s and 1m",
		},
		"with a path in an origin": {
			web + "cors_origins: [https://app.test/]", "6 applications[0].cors_origins[0]: must be an origin such as",
		},
		"with any origin":                      {web + "cors_origins: ['*']", "must be an origin such as"},
		"with an origin that can't be trusted": {web + "cors_origins: [http://app.test]", "must be an origin such as"},
		"with an origin in upper case":         {web + "cors_origins: [https://App.test]", "must be an origin such as"},
		"logging out over http": {
			web + "backchannel_logout_uri: http://app.test/bye",
			"6 applications[0].backchannel_logout_uri: must be an https URL without a fragment",
		},
		"logging out at a fragment": {
			web + "backchannel_logout_uri: 'https://app.test/#'", "must be an https URL without a fragment",
		},
		"with a code and nowhere to return": {
			web + "grants: [authorization_code]",
			"2 applications[0].redirect_uris: the authorization_code grant needs at least one",
		},
	})

	for _, kind := range []string{"SPA", "NATIVE"} {
		check(t, map[string]refusal{
			kind + " with client_credentials": {
				of(kind) + "grants: [client_credentials]",
				"6 applications[0].grants[0]: a " + kind + " application is public",
			},
			kind + " with token_exchange": {
				of(kind) + "grants: [token_exchange]",
				"6 applications[0].grants[0]: a " + kind + " application is public",
			},
			kind + " with a secret": {
				of(kind) + "client_secret: " + strings.Repeat("x", 32),
				"6 applications[0].client_secret: a " + kind + " application is public and can't keep a secret",
			},
		})
	}
}

func TestARedirectURIIsRefused(t *testing.T) {
	for uri, want := range map[string]string{
		"https://app.test/#x":        "must not have a fragment",
		"https://app.test/#":         "must not have a fragment",
		"https://*.app.test/cb":      "must not hold a wildcard",
		"javascript:alert(1)":        "has a scheme that runs code",
		"http://app.test/cb":         "must be https",
		"/cb":                        "must be an absolute URI",
		"com.example.app:/cb":        "a private scheme is for NATIVE applications",
		"https://user:pass@app.test": "must not carry user information",
	} {
		for _, key := range []string{"redirect_uris", "post_logout_redirect_uris"} {
			t.Run(key+" "+uri, func(t *testing.T) {
				got := refusals(t, web+key+":\n      - https://app.test/cb\n      - '"+uri+"'", public)
				require.Len(t, got, 1)
				require.Contains(t, got[0], "8 applications[0]."+key+"[1]: "+want)
			})
		}
	}

	for name, text := range map[string]string{
		"loopback, for NATIVE (RFC 8252 7.3)": of("NATIVE") +
			"redirect_uris: ['http://127.0.0.1:8080/cb', 'http://[::1]/cb', 'http://localhost/cb']",
		"loopback, while it is being built": web +
			"development: true\n    redirect_uris: ['http://127.0.0.1:3000/cb']\n    cors_origins: ['http://127.0.0.1:3000']",
		"where a person begins":             web + "initiate_login_uri: 'https://a.test/login'",
		"a native application's own scheme": of("NATIVE") + "redirect_uris: ['com.example.app:/cb']",
	} {
		require.Empty(t, refusals(t, text, public), name)
	}

	for _, key := range []string{"redirect_uris", "post_logout_redirect_uris", "cors_origins"} {
		loopback := web + key + ": ['http://127.0.0.1:3000']"
		got := refusals(t, loopback, public)
		require.Len(t, got, 1)
		require.Contains(t, got[0], key+"[0]: is http on loopback, which only NATIVE applications may have",
			"on a platform with https")
		require.Empty(t, refusals(t, loopback, manifest.Rules{Loopback: true}), "on a developer's machine")
	}

	require.Equal(t, []string{`6 applications[0].redirect_uris[1]: "https://a.test/" appears twice`},
		refusals(t, web+"redirect_uris: ['https://a.test/', 'https://a.test/']", public))
}

func TestAClientSecretIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}

	long := strings.Repeat("x", 32)
	check(t, map[string]refusal{
		"that can be guessed": {
			web + "client_secret: " + long[1:],
			"6 applications[0].client_secret: has fewer than 32 characters: leave it out to have one generated",
		},
		"that can be guessed, a file": {
			web + "client_secret_file: " + file("short", "hunter2\n"),
			"6 applications[0].client_secret_file: has fewer than 32",
		},
		"in a file that is not there": {
			web + "client_secret_file: " + dir + "/gone", "6 applications[0].client_secret_file: cannot be read",
		},
		"in a folder": {
			web + "client_secret_file: " + dir, "6 applications[0].client_secret_file: cannot be read",
		},
		"in an empty file": {
			web + "client_secret_file: " + file("empty", "\r\n"),
			"6 applications[0].client_secret_file: names an empty file",
		},
		"in a huge file": {
			web + "client_secret_file: " + file("huge", strings.Repeat("x", 5000)), "a file of more than 4096 bytes",
		},
		"given twice": {
			web + "client_secret: " + long + "\n    client_secret_hash: sha256:" + long + long,
			"6 applications[0].client_secret: give one of",
		},
		"hashed by an unknown algorithm": {
			web + "client_secret_hash: " + long + long, "6 applications[0].client_secret_hash: must be sha256:",
		},
		"hashed too short": {
			web + "client_secret_hash: sha256:abcd", "6 applications[0].client_secret_hash: must be sha256:",
		},
	})

	const issuer = "https://id.test/api/v1/platform/oauth"
	for _, served := range []string{issuer, issuer + "/"} {
		require.Contains(t,
			strings.Join(refusals(t, web+"resources_served: ["+served+"]", manifest.Rules{Issuer: issuer}), "\n"),
			"6 applications[0].resources_served[0]: must not be the issuer")
	}

	require.Empty(t, refusals(t, web+"audiences: ["+issuer+"]", manifest.Rules{Issuer: issuer}))

	short := web + "client_secret: short"
	require.Empty(t, refusals(t, short, manifest.Rules{Loopback: true}), "to try things out")

	for _, p := range refusals(t, short, public) {
		require.NotContains(t, p, "short", "a secret stands in no message")
	}
}

func TestTheExampleIsInOrder(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "example.yaml"))
	require.NoError(t, err)
	require.Empty(t, refusals(t, string(text), public))
}

func TestAnErrorNamesFileLineAndReasonOfEveryProblem(t *testing.T) {
	doc, err := manifest.Parse("platform.yaml", strings.NewReader("tenants:\n  - slug: A\n"))
	require.NoError(t, err)
	err = doc.Validate(public)
	require.EqualError(t, err, "nothing was applied because of 2 problems:\n"+
		"  platform.yaml:2: tenants[0].name: is required\n"+
		"  platform.yaml:2: tenants[0].slug: must be 1 to 63 lower-case letters, digits and inner hyphens")
	require.NoError(t, errors.Unwrap(err))
}
