package token_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (a answer) str(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// serve asserts nothing, so that it may run in any goroutine.
func (w *world) serve(r *http.Request) answer {
	recorder := httptest.NewRecorder()
	w.service.Handler.ServeHTTP(recorder, r)
	a := answer{status: recorder.Code, header: recorder.Header(), raw: recorder.Body.String()}
	_ = json.Unmarshal(recorder.Body.Bytes(), &a.body)
	return a
}

func (w *world) do(t *testing.T, r *http.Request) answer {
	t.Helper()
	a := w.serve(r.WithContext(t.Context()))
	require.NotEmpty(t, a.body, "the answer is JSON: %s", a.raw)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"), "RFC 6749 5.1")
	require.Equal(t, "no-cache", a.header.Get("Pragma"), "RFC 6749 5.1")
	return a
}

// form is a token request's body.
type form map[string]string

func (f form) with(more form) form {
	all := form{}
	for _, part := range []form{f, more} {
		for name, value := range part {
			all[name] = value
		}
	}
	return all
}

func (f form) encode() string {
	values := url.Values{}
	for name, value := range f {
		values.Set(name, value)
	}
	return values.Encode()
}

// client is a confidential application's credentials in the form.
func client(id string) form { return form{"client_id": id, "client_secret": secretWord} }

func redeem(code string) form {
	return client("web").with(form{
		"grant_type":    "authorization_code",
		"code":          code,
		"redirect_uri":  redirectURI,
		"code_verifier": verifier,
	})
}

func (w *world) post(t *testing.T, f form) answer {
	t.Helper()
	return w.postRaw(t, f.encode(), nil)
}

func (w *world) postRaw(t *testing.T, body string, header http.Header) answer {
	t.Helper()
	return w.do(t, tokenRequest(body, header))
}

func tokenRequest(body string, header http.Header) *http.Request {
	r := httptest.NewRequest(http.MethodPost, tokenPath, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, values := range header {
		r.Header[name] = values
	}
	return r
}

func (w *world) userinfo(t *testing.T, token string) answer {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, infoPath, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return w.do(t, r)
}

func basic(id, secret string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}}
}

func requireError(t *testing.T, a answer, status int, code oauth.Code) {
	t.Helper()
	require.Equal(t, status, a.status, a.raw)
	require.Equal(t, string(code), a.str("error"), a.raw)
	require.NotEmpty(t, a.str("error_description"))
	require.NotContains(t, a.body, "access_token")
}

// redeemed redeems a fresh code and returns its tokens.
func (w *world) redeemed(t *testing.T, p person, change func(*grants.AuthorizationCode)) answer {
	t.Helper()
	a := w.post(t, redeem(w.code(t, p, change)))
	require.Equal(t, http.StatusOK, a.status, a.raw)
	return a
}
