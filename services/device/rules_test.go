package device_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// RFC 8628 3.1, 3.2: unknown parameters are ignored, an empty scope is none, and the
// addresses to type are the platform's own, whatever the request says of where it
// was sent.
func TestADeviceIsSentToThePlatformsOwnAddress(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	r := httptest.NewRequest(http.MethodPost, "http://evil.test"+authorizePath,
		strings.NewReader("client_id=tv&scope=&unknown=1"))
	r.Header = http.Header{
		"Content-Type":      {"application/x-www-form-urlencoded"},
		"X-Forwarded-Host":  {"evil.test"},
		"X-Forwarded-Proto": {"http"},
		"Forwarded":         {"host=evil.test"},
	}

	rec := httptest.NewRecorder()
	w.service.Handler.ServeHTTP(rec, r)
	require.Equal(t, http.StatusOK, rec.Code, rec.Body.String())
	require.NotContains(t, rec.Body.String(), "evil.test")
	var issued map[string]any
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &issued))
	require.Equal(t, origin+"/device", issued["verification_uri"])
	require.Equal(t, 1, w.count(`SELECT count(*) FROM device_codes WHERE scope = 'openid'`))
	body := w.do(visit{
		path:  verifyPath,
		query: url.Values{"user_code": {issued["user_code"].(string)}, "unknown": {"1"}},
	}).json(http.StatusOK)
	require.Equal(t, []any{"openid"}, body["scopes"])
}

// RFC 8628 3.3.1, 5.4: a link with the code saves typing and nothing else. Whoever
// follows it is asked, each time, whether the application is first party or not, and
// whatever they allowed before.
func TestALinkAloneApprovesNothing(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		_, session := w.signIn()
		for _, firstParty := range []bool{true, false} {
			w.exec(`UPDATE applications SET first_party = $1`, firstParty)

			for range 2 { // the second time the same person has allowed the same application
				code := w.device()
				for range 2 {
					page := w.do(visit{
						path:    pagePath,
						page:    true,
						session: session,
						query:   url.Values{"user_code": {code}, "action": {"approve"}},
					})

					require.Equal(t, http.StatusOK, page.StatusCode)
					require.Contains(t, page.body, `value="approve"`)
					require.Contains(t, page.body, "The tv")
					require.Contains(t, page.body, "Continue only if you started this yourself")
				}

				require.Equal(t, 1,
					w.count(`SELECT count(*) FROM device_codes WHERE user_code = $1 AND decision = ''`, code))
				w.do(w.approval(code, session, w.csrf(code, session))).json(http.StatusOK)
			}
		}
	})
}

// RFC 6749 5.1, RFC 8628 3.2: nothing of a device is kept by a cache, pages and
// refusals included; what a browser lacks it hears as a page.
func TestNoAnswerIsKept(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code := w.device()
	_, session := w.signIn()
	for name, v := range map[string]visit{
		"the page":          {path: pagePath, page: true},
		"the decision":      {path: pagePath, page: true, session: session, query: url.Values{"user_code": {code}}},
		"an unknown code":   {path: pagePath, page: true, query: url.Values{"user_code": {"BBBB-BBBB"}}},
		"the way to signin": {path: pagePath, page: true, query: url.Values{"user_code": {code}}},
		"no code":           {path: verifyPath, page: true},
		"no code, for JSON": {path: verifyPath},
		"no client":         {method: http.MethodPost, path: authorizePath, form: url.Values{}},
		"no session":        {method: http.MethodPost, path: verifyPath, form: url.Values{"user_code": {code}}},
	} {
		res := w.do(v)
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"), name)
		require.Equal(t, "no-cache", res.Header.Get("Pragma"), name)
	}

	page := w.do(visit{path: verifyPath, page: true})
	require.Equal(t, http.StatusUnprocessableEntity, page.StatusCode)
	require.Contains(t, page.Header.Get("Content-Type"), "text/html")
	require.Contains(t, page.body, "user_code")
}
