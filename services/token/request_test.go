package token_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var credentials = form{"grant_type": "client_credentials"}

func TestClientAuthentication(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for name, tt := range map[string]struct {
			form      form
			header    http.Header
			status    int // 0: succeeds
			error     oauth.Code
			challenge bool
		}{
			"client_secret_post (RFC 6749 2.3.1)":           {form: client("web")},
			"client_secret_basic, both halves form-encoded": {header: basic("web", url.QueryEscape(secretWord))},
			"client_secret_basic, raw as curl sends it":     {header: basic("web", secretWord)},
			"Basic and the same client_id in the form": {
				form:   form{"client_id": "web"},
				header: basic("web", secretWord),
			},
			"Basic and another client_id in the form": {
				form:   form{"client_id": "other"},
				header: basic("web", secretWord),
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"two methods at once (RFC 6749 2.3)": {
				form:   client("web"),
				header: basic("web", secretWord),
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"two Authorization headers": {
				header: http.Header{"Authorization": {basic("web", secretWord).Get("Authorization"), "Basic x"}},
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"a wrong secret in the form": {
				form:   form{"client_id": "web", "client_secret": "wrong"},
				status: 401,
				error:  oauth.InvalidClient,
			},
			"a wrong secret by Basic (RFC 6749 5.2)": {
				header:    basic("web", "wrong"),
				status:    401,
				error:     oauth.InvalidClient,
				challenge: true,
			},
			"malformed Basic": {
				header:    http.Header{"Authorization": {"Basic ???"}},
				status:    401,
				error:     oauth.InvalidClient,
				challenge: true,
			},
			"a NUL inside Basic": {
				header:    basic("we\x00b", secretWord),
				status:    401,
				error:     oauth.InvalidClient,
				challenge: true,
			},
			"a Bearer header": {
				header:    http.Header{"Authorization": {"Bearer x"}},
				status:    401,
				error:     oauth.InvalidClient,
				challenge: true,
			},
			"an unknown application": {
				form:   client("nobody"),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"an unknown application by Basic": {
				header:    basic("nobody", secretWord),
				status:    401,
				error:     oauth.InvalidClient,
				challenge: true,
			},
			"a disabled application": {
				form:   client("disabled"),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"a confidential application without secret": {
				form:   form{"client_id": "web"},
				status: 401,
				error:  oauth.InvalidClient,
			},
			"an empty secret counts as absent": {
				form:   form{"client_id": "web", "client_secret": ""},
				status: 401,
				error:  oauth.InvalidClient,
			},
			"a public application with a secret": {
				form:   client("spa"),
				status: 401,
				error:  oauth.InvalidClient,
			},
			"no client at all (RFC 6749 5.2)": {status: 401, error: oauth.InvalidClient},
			"a TENANT application": {
				form:   client("tenant"),
				status: 400,
				error:  oauth.UnauthorizedClient,
			},
			"a TENANT application with a wrong secret": {
				form:   form{"client_id": "tenant", "client_secret": "wrong"},
				status: 401,
				error:  oauth.InvalidClient,
			},
		} {
			t.Run(name, func(t *testing.T) {
				got := w.postRaw(t, credentials.with(tt.form).encode(), tt.header)
				if tt.status == 0 {
					require.Equal(t, http.StatusOK, got.status, got.raw)
					return
				}

				requireError(t, got, tt.status, tt.error)

				if tt.challenge {
					require.Contains(t, got.header.Get("WWW-Authenticate"), `Basic realm="`, "RFC 6749 5.2")
				} else {
					require.Empty(t, got.header.Get("WWW-Authenticate"))
				}
			})
		}

		unknown, wrong := w.post(t,
			credentials.with(client("nobody"))), w.post(t,
			credentials.with(form{"client_id": "web", "client_secret": "wrong"}))
		require.Equal(t, unknown.raw, wrong.raw, "the words do not tell which applications exist")
	})
}

// RFC 6749 5.2, RFC 6750 3.1.
func TestADisabledApplicationIsRefusedOnceTheCacheHasForgotten(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		access := w.redeemed(t, w.person(t), nil).str("access_token")
		w.operate(t, func(out *directorystore.Writer) error {
			return out.DisableApplication(t.Context(), "web", w.clock.Now())
		})
		w.clock.Advance(6 * time.Second)
		requireError(t, w.post(t, credentials.with(client("web"))), 401, oauth.InvalidClient)
		requireError(t, w.userinfo(t, access), 401, oauth.InvalidToken)
	})
}

func TestFormOfTokenRequests(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		valid := credentials.with(client("web")).encode()
		require.Equal(t, http.StatusOK, w.postRaw(t, valid, nil).status)

		for name, tt := range map[string]struct {
			body        string
			contentType string
			status      int
			error       oauth.Code
		}{
			"grant_type twice (RFC 6749 3.2)": {
				body:   valid + "&grant_type=client_credentials",
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"client_id twice": {
				body:   valid + "&client_id=web",
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"an unknown grant type": {
				body:   client("web").with(form{"grant_type": "password"}).encode(),
				status: 400,
				error:  oauth.UnsupportedGrantType,
			},
			"refresh_token it may not use": {
				body:   client("web").with(form{"grant_type": "refresh_token", "refresh_token": "x"}).encode(),
				status: 400,
				error:  oauth.UnauthorizedClient,
			},
			"a grant type it may not use": {
				body:   credentials.with(client("code-only")).encode(),
				status: 400,
				error:  oauth.UnauthorizedClient,
			},
			"device_code it may not use": {
				body:   client("code-only").with(form{"grant_type": string(oauth.GrantDeviceCode)}).encode(),
				status: 400,
				error:  oauth.UnauthorizedClient,
			},
			"invalid UTF-8": {
				body:   valid + "&scope=%ff",
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"a NUL": {
				body:   valid + "&scope=a%00",
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"a broken escape": {
				body:   valid + "&scope=%zz",
				status: 400,
				error:  oauth.InvalidRequest,
			},
			"JSON": {
				body:        `{"grant_type":"client_credentials"}`,
				contentType: "application/json",
				status:      400,
				error:       oauth.InvalidRequest,
			},
			"a megabyte": {
				body:   valid + "&x=" + strings.Repeat("x", 1<<20),
				status: 413,
				error:  oauth.InvalidRequest,
			},
			"grant_type missing": {
				body:   client("web").encode(),
				status: 422,
				error:  oauth.InvalidRequest,
			},
			"grant_type empty counts as missing": {
				body:   client("web").encode() + "&grant_type=",
				status: 422,
				error:  oauth.InvalidRequest,
			},
			"nothing at all": {status: 422, error: oauth.InvalidRequest},
		} {
			t.Run(name, func(t *testing.T) {
				header := http.Header{}
				if tt.contentType != "" {
					header.Set("Content-Type", tt.contentType)
				}

				got := w.postRaw(t, tt.body, header)
				requireError(t, got, tt.status, tt.error)

				if tt.status == 422 {
					require.Equal(t, []any{map[string]any{
						"type":  "missing",
						"loc":   []any{"body", "grant_type"},
						"msg":   "Field required",
						"input": nil,
					}}, got.body["detail"])
				}
			})
		}

		require.Equal(t, http.StatusOK, w.postRaw(t, valid+"&unknown=1&unknown=2&scope=&code=&code=", nil).status,
			"unknown and empty parameters do not matter, however often they come (RFC 6749 3.2)")
	})
}

// RFC 6749 3.2: the client must use POST; RFC 9110 15.5.6.
func TestOtherMethodsAreRefused(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	got := w.serve(httptest.NewRequest(http.MethodGet, tokenPath, nil))
	require.Equal(t, http.StatusMethodNotAllowed, got.status)
	require.Equal(t, map[string]any{"detail": "Method Not Allowed"}, got.body)
	require.ElementsMatch(t, []string{http.MethodPost, http.MethodOptions},
		strings.Split(got.header.Get("Allow"), ", "))
}

func TestClientCredentials(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for name, tt := range map[string]struct {
			form     form
			more     string // appended to the body
			scope    string
			audience any
			error    oauth.Code // 400 where set
		}{
			"without scope: all that need no person": {
				form:     client("web"),
				scope:    "api:read api:write",
				audience: issuer,
			},
			"a part of the scopes (RFC 6749 4.4.2)": {
				form:     client("web").with(form{"scope": "api:write"}),
				scope:    "api:write",
				audience: issuer,
			},
			"an application without such scopes": {form: client("bare"), scope: "", audience: issuer},
			"openid needs a person": {
				form:  client("web").with(form{"scope": "openid api:read"}),
				error: oauth.InvalidScope,
			},
			"offline_access needs a person": {
				form:  client("web").with(form{"scope": "offline_access"}),
				error: oauth.InvalidScope,
			},
			"an unknown scope (RFC 6749 5.2)": {
				form:  client("web").with(form{"scope": "api:read nonsense"}),
				error: oauth.InvalidScope,
			},
			"a malformed scope": {
				form:  client("web").with(form{"scope": `"`}),
				error: oauth.InvalidScope,
			},
			"the default audience": {
				form:     client("service"),
				scope:    "api:read api:write",
				audience: "https://default.test",
			},
			"a resource (RFC 8707 2)": {
				form:     client("service").with(form{"resource": apiURI}),
				scope:    "api:read api:write",
				audience: apiURI,
			},
			"an audience": {
				form:     client("service").with(form{"audience": apiURI}),
				scope:    "api:read api:write",
				audience: apiURI,
			},
			"resource and audience alike": {
				form:     client("web").with(form{"audience": apiURI, "resource": apiURI}),
				scope:    "api:read api:write",
				audience: apiURI,
			},
			"resource and audience that differ": {
				form:  client("web").with(form{"audience": apiURI, "resource": "https://other.test"}),
				error: oauth.InvalidTarget,
			},
			"two resources": {
				form:  client("web").with(form{"resource": apiURI}),
				more:  "&resource=https://other.test",
				error: oauth.InvalidTarget,
			},
			"an unknown resource": {
				form:  client("web").with(form{"resource": "https://evil.test"}),
				error: oauth.InvalidTarget,
			},
			"a public application": {
				form:  form{"client_id": "native"},
				error: oauth.UnauthorizedClient,
			},
		} {
			t.Run(name, func(t *testing.T) {
				got := w.postRaw(t, credentials.with(tt.form).encode()+tt.more, nil)
				if tt.error != "" {
					requireError(t, got, 400, tt.error)
					return
				}

				require.Equal(t, http.StatusOK, got.status, got.raw)
				require.Equal(t, tt.scope, got.str("scope"))
				require.NotContains(t, got.body, "refresh_token", "RFC 6749 4.4.3")
				require.NotContains(t, got.body, "id_token")
				claims := w.verified(t, got.str("access_token"), "at+jwt", "ES256")
				require.Equal(t, tt.audience, claims["aud"])
				require.Equal(t, tt.form["client_id"], claims["sub"], "RFC 9068 2.2")
				require.Equal(t, tt.form["client_id"], claims["client_id"])
				require.Equal(t, true, claims["platform_token"])
				require.Equal(t, "GLOBAL", claims["app_scope"])

				for _, personal := range []string{"gid", "sid", "auth_time", "acr", "amr", "tenant_id", "tenant_slug"} {
					require.NotContains(t, claims, personal)
				}

				requireError(t, w.userinfo(t, got.str("access_token")), 403, oauth.InsufficientScope)
			})
		}
	})
}
