package token_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestUserInfoTellsWhatTheScopesAskFor(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		for scope, more := range map[string]map[string]any{
			"openid": {},
			"openid profile": {
				"name":        "Ada Lovelace",
				"given_name":  "Ada",
				"family_name": "Lovelace",
				"locale":      "en-GB",
				"updated_at":  float64(start.Unix()),
			},
			"openid email":   {"email": p.user.Email, "email_verified": true},
			"openid phone":   {"phone_number": "+44 20 7946 0000"},
			"openid address": {"address": map[string]any{"country": "GB"}},
		} {
			t.Run(scope, func(t *testing.T) {
				tokens := w.redeemed(t, p, func(c *grants.AuthorizationCode) { c.Scope = strings.Fields(scope) })
				got := w.userinfo(t, tokens.str("access_token"))
				require.Equal(t, http.StatusOK, got.status, got.raw)
				require.Equal(t, "application/json", got.header.Get("Content-Type"))
				want := map[string]any{"sub": p.user.ID, "tenant_id": "tnt_acme", "tenant_slug": "acme"}
				for name, value := range more {
					want[name] = value
				}

				require.Equal(t, want, got.body, "OpenID Connect Core 5.4")
				require.Equal(t, w.verified(t, tokens.str("id_token"), "JWT", "RS256")["sub"], got.body["sub"],
					"OpenID Connect Core 5.3.2")
			})
		}
	})
}

// infoRequest builds a request to userinfo: a form makes it a POST.
func infoRequest(query, formBody string, authorization ...string) *http.Request {
	method, target := http.MethodGet, infoPath
	if query != "" {
		target += "?" + query
	}

	if formBody != "" {
		method = http.MethodPost
	}

	r := httptest.NewRequest(method, target, strings.NewReader(formBody))
	if formBody != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}

	if len(authorization) > 0 {
		r.Header["Authorization"] = authorization
	}

	return r
}

func TestHowABearerTokenTravels(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		access := w.redeemed(t, w.person(t), nil).str("access_token")
		inForm, header := "access_token="+access, "Bearer "+access
		post := infoRequest("", "", header)
		post.Method = http.MethodPost
		postJSON := infoRequest("", "{}", header)
		postJSON.Header.Set("Content-Type", "application/json")

		for name, tt := range map[string]struct {
			request *http.Request
			status  int
			error   oauth.Code
		}{
			"GET with the header (RFC 6750 2.1)":    {request: infoRequest("", "", header), status: 200},
			"the scheme in other capitals":          {request: infoRequest("", "", "bearer "+access), status: 200},
			"POST with the header and no body":      {request: post, status: 200},
			"POST with the header and another body": {request: postJSON, status: 200},
			"POST with the form (RFC 6750 2.2)":     {request: infoRequest("", inForm), status: 200},
			"both at once (RFC 6750 2)": {
				request: infoRequest("", inForm, header),
				status:  400,
				error:   oauth.InvalidRequest,
			},
			"twice in the form": {
				request: infoRequest("", inForm+"&"+inForm),
				status:  400,
				error:   oauth.InvalidRequest,
			},
			"two headers": {
				request: infoRequest("", "", header, header),
				status:  400,
				error:   oauth.InvalidRequest,
			},
			"header and query": {
				request: infoRequest(inForm, "", header),
				status:  400,
				error:   oauth.InvalidRequest,
			},
			"the query alone is not looked at (2.3)": {
				request: infoRequest(inForm, ""),
				status:  422,
				error:   oauth.InvalidRequest,
			},
			"nothing": {
				request: infoRequest("", ""),
				status:  422,
				error:   oauth.InvalidRequest,
			},
			"an empty header": {
				request: infoRequest("", "", ""),
				status:  422,
				error:   oauth.InvalidRequest,
			},
			"an empty form field": {
				request: infoRequest("", "access_token="),
				status:  422,
				error:   oauth.InvalidRequest,
			},
			"another scheme": {
				request: infoRequest("", "", "Basic "+access),
				status:  401,
				error:   oauth.InvalidToken,
			},
			"the scheme alone": {
				request: infoRequest("", "", "Bearer"),
				status:  401,
				error:   oauth.InvalidToken,
			},
			"no JWT": {
				request: infoRequest("", "", "Bearer nonsense"),
				status:  401,
				error:   oauth.InvalidToken,
			},
			"a changed signature": {
				request: infoRequest("", "", header[:len(header)-4]+"AAAA"),
				status:  401,
				error:   oauth.InvalidToken,
			},
			"a token longer than any, but in bounds": {
				request: infoRequest("", "access_token="+strings.Repeat("a", 20000)),
				status:  401,
				error:   oauth.InvalidToken,
			},
			"a NUL in the form": {
				request: infoRequest("", "access_token=%00"),
				status:  400,
				error:   oauth.InvalidRequest,
			},
			"a form of a megabyte": {
				request: infoRequest("", "access_token="+strings.Repeat("a", 1<<20)),
				status:  413,
				error:   oauth.InvalidRequest,
			},
		} {
			t.Run(name, func(t *testing.T) {
				got := w.do(t, tt.request)
				challenge := got.header.Get("WWW-Authenticate")
				if tt.status == 200 {
					require.Equal(t, 200, got.status, got.raw)
					require.Empty(t, challenge)
					return
				}

				requireError(t, got, tt.status, tt.error)

				if tt.status == 422 {
					require.Equal(t, `Bearer realm="platform"`, challenge,
						"RFC 6750 3.1: no error where no credentials came")
					require.Equal(t, []any{map[string]any{
						"type":  "missing",
						"loc":   []any{"header", "authorization"},
						"msg":   "Field required",
						"input": nil,
					}}, got.body["detail"])

					return
				}

				require.Contains(t, challenge, `Bearer realm="platform", error="`+string(tt.error)+`"`, "RFC 6750 3")
			})
		}
	})
}

func TestWhichTokensUserInfoTakes(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		tokens := w.redeemed(t, p, nil)
		base := w.verified(t, tokens.str("access_token"), "at+jwt", "ES256")
		ring := signing.NewRing(signing.RingOptions{Schedule: fixed(w.keys), Backend: w.keeper, Now: w.clock.Now})
		require.NoError(t, ring.Load(t.Context()))

		for name, tt := range map[string]struct {
			typ    string
			claims map[string]any
			status int
		}{
			"its own":                  {status: 200},
			"with the full media type": {typ: "application/at+jwt", status: 200},
			"an ID token's type":       {typ: "JWT", status: 401},
			"a logout token's type":    {typ: "logout+jwt", status: 401},
			"no expiry":                {claims: map[string]any{"exp": nil}, status: 401},
			"expired at this second":   {claims: map[string]any{"exp": start.Unix()}, status: 401},
			"not yet valid": {
				claims: map[string]any{"nbf": start.Add(time.Minute).Unix()},
				status: 401,
			},
			"a replica's clock ahead of ours": {
				claims: map[string]any{"nbf": start.Add(2 * time.Second).Unix()},
				status: 200,
			},
			"another issuer":                  {claims: map[string]any{"iss": "https://evil.test"}, status: 401},
			"not for the issuer (RFC 9068 4)": {claims: map[string]any{"aud": apiURI}, status: 401},
			"one of several audiences":        {claims: map[string]any{"aud": []string{apiURI, issuer}}, status: 200},
			"without openid":                  {claims: map[string]any{"scope": "api:read"}, status: 403},
			"without any scope":               {claims: map[string]any{"scope": nil}, status: 403},
			"an application's own token":      {claims: map[string]any{"platform_token": true}, status: 403},
			"without a grant":                 {claims: map[string]any{"gid": nil}, status: 401},
			"an unknown grant":                {claims: map[string]any{"gid": "gnt_x"}, status: 401},
			"another person's grant":          {claims: map[string]any{"sub": "usr_x"}, status: 401},
			"another application's grant":     {claims: map[string]any{"client_id": "other"}, status: 401},
			"an unknown application":          {claims: map[string]any{"client_id": "nobody"}, status: 401},
			"a claim of another type":         {claims: map[string]any{"exp": "soon"}, status: 401},
		} {
			t.Run(name, func(t *testing.T) {
				claims := map[string]any{}
				for _, part := range []map[string]any{base, tt.claims} {
					for k, v := range part {
						claims[k] = v
					}
				}

				typ := tt.typ
				if typ == "" {
					typ = "at+jwt"
				}

				access, err := ring.Sign(t.Context(), signing.ES256, typ, claims)
				require.NoError(t, err)
				got := w.userinfo(t, access)
				switch tt.status {
				case 200:
					require.Equal(t, 200, got.status, got.raw)
				case 401:
					requireError(t, got, 401, oauth.InvalidToken)
				case 403:
					requireError(t, got, 403, oauth.InsufficientScope)
					require.Contains(t, got.header.Get("WWW-Authenticate"), `scope="openid"`, "RFC 6750 3.1")
				}
			})
		}

		requireError(t, w.userinfo(t, tokens.str("id_token")), 401, oauth.InvalidToken)
	})
}

// fixed is a schedule that never changes.
type fixed []signing.Key

// RFC 6750 3.1, OpenID Connect Core 5.3.3.
func TestUserInfoEndsWithWhatTheTokenStandsFor(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		all := endings(w)
		all["the token has expired"] = func(*testing.T, person) { w.clock.Advance(time.Hour) }
		all["the grant was revoked"] = func(t *testing.T, p person) {
			w.exec(t, `UPDATE grants SET revoked_at = $2 WHERE user_id = $1`, p.user.ID, database.At(w.clock.Now()))
		}

		for name, end := range all {
			for kind, offline := range map[string]bool{"online": false, "offline": true} {
				t.Run(name+", "+kind, func(t *testing.T) {
					p := w.person(t)
					access := w.redeemed(t, p,
						func(c *grants.AuthorizationCode) { c.Offline = offline }).str("access_token")
					require.Equal(t, http.StatusOK, w.userinfo(t, access).status)
					end(t, p)
					got := w.userinfo(t, access)
					if offline && strings.HasPrefix(name, "the session") {
						require.Equal(t, http.StatusOK, got.status, "an offline grant outlives its session")
						return
					}

					requireError(t, got, 401, oauth.InvalidToken)
				})
			}
		}
	})
}

// Keys implements signing.Schedule.
func (f fixed) Keys(context.Context) ([]signing.Key, error) { return f, nil }
