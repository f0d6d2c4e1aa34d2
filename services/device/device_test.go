package device_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// RFC 8628 3.2.
func TestADeviceGetsItsCodes(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		res := w.do(visit{method: http.MethodPost, path: authorizePath, form: url.Values{"client_id": {"tv"}}})
		body := res.json(http.StatusOK)
		require.Equal(t, "no-cache", res.Header.Get("Pragma"))
		require.Len(t, body["device_code"], 43)
		require.Regexp(t, `^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`, body["user_code"])
		require.Equal(t, "https://id.test/device", body["verification_uri"])
		require.Equal(t, "https://id.test/device?user_code="+body["user_code"].(string),
			body["verification_uri_complete"])
		require.EqualValues(t, 600, body["expires_in"])
		require.EqualValues(t, 5, body["interval"])
		require.Equal(t, 1,
			w.count(`SELECT count(*) FROM device_codes WHERE device_code_hash = $1 AND user_code = $2 AND scope = 'openid'`,
				oauth.HashSecret(body["device_code"].(string)), body["user_code"]))
	})
}

func TestWhoMayAskForCodes(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	basic := func(id, secret string) http.Header {
		return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}}
	}
	for _, tc := range []struct {
		name    string
		form    url.Values
		headers http.Header
		status  int
		want    string
	}{
		{"no client_id", url.Values{}, nil, 422, "invalid_request"},
		{"an empty client_id", url.Values{"client_id": {""}}, nil, 422, "invalid_request"},
		{"client_id twice (RFC 6749 3.2)", url.Values{"client_id": {"tv", "tv"}}, nil, 400, "invalid_request"},
		{"an unknown application", url.Values{"client_id": {"nobody"}}, nil, 401, "invalid_client"},
		{"a disabled application", url.Values{"client_id": {"disabled"}}, nil, 401, "invalid_client"},
		{"a TENANT application", url.Values{"client_id": {"tenant"}}, nil, 400, "unauthorized_client"},
		{"an application without the grant", url.Values{"client_id": {"no-grant"}}, nil, 400, "unauthorized_client"},
		{"an unknown scope", url.Values{"client_id": {"tv"}, "scope": {"admin"}}, nil, 400, "invalid_scope"},
		{"a confidential one by its name alone", url.Values{"client_id": {"web"}}, nil, 200, ""},
		{"with its secret in the form", url.Values{"client_id": {"web"}, "client_secret": {appSecret}}, nil, 200, ""},
		{"with its secret by Basic", url.Values{"client_id": {"web"}}, basic("web", appSecret), 200, ""},
		{"by Basic alone (RFC 8628 3.1)", url.Values{"scope": {"openid"}}, basic("web", appSecret), 200, ""},
		{"by Basic alone, wrong", url.Values{"scope": {"openid"}}, basic("web", "wrong"), 401, "invalid_client"},
		{"a strict one by Basic alone", url.Values{"scope": {"openid"}}, basic("strict", appSecret), 200, ""},
		{
			"by a header that is none",
			url.Values{"scope": {"openid"}},
			http.Header{"Authorization": {"Bearer x"}},
			401, "invalid_client",
		},
		{"an unknown parameter twice", url.Values{"client_id": {"tv"}, "x": {"1", "2"}}, nil, 200, ""},
		{"scope twice", url.Values{"client_id": {"tv"}, "scope": {"openid", "openid"}}, nil, 400, "invalid_request"},
		{
			"with a wrong secret",
			url.Values{"client_id": {"web"}, "client_secret": {"wrong"}},
			nil, 401, "invalid_client",
		},
		{
			"with a wrong secret by Basic",
			url.Values{"client_id": {"web"}},
			basic("web", "wrong"), 401, "invalid_client",
		},
		{
			"a public one with a secret",
			url.Values{"client_id": {"tv"}, "client_secret": {"x"}},
			nil, 401, "invalid_client",
		},
		{
			"by two methods",
			url.Values{"client_id": {"web"}, "client_secret": {appSecret}},
			basic("web", appSecret), 400, "invalid_request",
		},
		{"as another client", url.Values{"client_id": {"tv"}}, basic("web", appSecret), 400, "invalid_request"},
		{"a strict one by its name alone", url.Values{"client_id": {"strict"}}, nil, 401, "invalid_client"},
		{
			"a strict one with its secret",
			url.Values{"client_id": {"strict"}, "client_secret": {appSecret}},
			nil, 200, "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := w.do(visit{
				method:  http.MethodPost,
				path:    authorizePath,
				form:    tc.form,
				headers: tc.headers,
			})

			body := res.json(tc.status)
			if tc.want != "" {
				require.Equal(t, tc.want, body["error"])
			}

			challenged := tc.status == 401 && tc.headers != nil
			require.Equal(t, challenged, res.Header.Get("WWW-Authenticate") != "", "RFC 6749 5.2")
		})
	}

	res := w.do(visit{
		method: http.MethodPost,
		path:   authorizePath,
		body:   `{"client_id":"tv"}`,
		kind:   "application/json",
	})

	require.Equal(t, "invalid_request", res.json(http.StatusBadRequest)["error"])
}

func TestCodesLongExpiredAreRemoved(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.device()
		w.clock.Advance(25 * time.Hour)
		w.device()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.service.Run(ctx) }()
		require.Eventually(t, func() bool { return w.count(`SELECT count(*) FROM device_codes`) == 1 },
			testkit.Patience, 20*time.Millisecond)
		cancel()
		require.NoError(t, <-done)
	})
}

func TestTheServiceNeedsNoMoreThanItsOwnRole(t *testing.T) {
	server := testkit.PostgresServer(t)
	address := server.NewDatabase(t)
	db := testkit.OpenPostgres(t, address)
	w := newWorldAs(t, db, testkit.OpenPostgres(t, server.LoginURL(t, address, "platform_device")))
	require.NoError(t, w.service.Ready(t.Context()))
	res := w.do(visit{
		method: http.MethodPost,
		path:   authorizePath,
		form:   url.Values{"client_id": {"web"}, "client_secret": {appSecret}},
	})
	code := res.json(http.StatusOK)["user_code"].(string)

	foreign := w.do(visit{
		method:  http.MethodPost,
		path:    authorizePath,
		form:    url.Values{"client_id": {"tv"}},
		headers: http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.test"}},
	})
	foreign.json(http.StatusForbidden)

	away := w.do(visit{path: pagePath, page: true, query: url.Values{"user_code": {code}}})
	flow, browser := strings.TrimPrefix(away.Header.Get("Location"), "/auth/flows/"), away.Cookies()[0].Value
	sid, session := w.signIn()
	w.decide(flow, sid)
	back := w.do(visit{
		path:    pagePath,
		page:    true,
		browser: browser,
		session: session,
		query:   url.Values{"flow": {flow}},
	})

	require.Equal(t, "/device?user_code="+code, back.Header.Get("Location"))

	done := w.do(visit{
		method:  http.MethodPost,
		path:    verifyPath,
		session: session,
		form:    url.Values{"user_code": {code}, "action": {"approve"}, "csrf_token": {w.csrf(code, session)}},
	})

	require.Equal(t, "approved", done.json(http.StatusOK)["status"])
	w.guess(10, here, session)
	w.look(code, here, session).blocked(1)
	require.Equal(t, 2, w.count(`SELECT count(*) FROM audit_events`), "the approval and the block")
}
