package domain_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/domain"
)

// object is an unsigned request object with a payload.
func object(payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(payload)) + "."
}

// OpenID Connect Core 6.1 and 3.1.2.6: the refusal of a request object must reach
// its application, which wrote the state and the response mode into the object only.
func TestTheRefusalOfARequestObjectFollowsItsWishes(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("s", domain.MaxState+1)
	tests := map[string]struct {
		request string
		query   url.Values
		mode    oauth.ResponseMode
		state   string
		code    oauth.Code
	}{
		"both": {
			request: object(`{"state":"a","response_mode":"form_post"}`),
			mode:    "form_post",
			state:   "a",
		},
		"padded": {
			request: "e30." + base64.URLEncoding.EncodeToString([]byte(`{"state":"ab"}`)) + ".",
			mode:    "query",
			state:   "ab",
		},
		"it supersedes the query": {
			request: object(`{"state":"a","response_mode":"query"}`),
			query:   url.Values{"state": {"q"}, "response_mode": {"form_post"}},
			mode:    "query",
			state:   "a",
		},
		"the query where it is still": {
			request: object(`{}`),
			query:   url.Values{"state": {"q"}, "response_mode": {"form_post"}},
			mode:    "form_post",
			state:   "q",
		},
		"redirect_uri is not read": {
			request: object(`{"redirect_uri":"https://evil.test","state":"a"}`),
			mode:    "query",
			state:   "a",
		},
		"an unknown mode": {
			request: object(`{"response_mode":"fragment"}`),
			mode:    "query",
			code:    oauth.InvalidRequest,
		},
		"a state that is too long": {
			request: object(`{"state":"` + long + `"}`),
			mode:    "query",
			code:    oauth.InvalidRequest,
		},
		"a state with NUL":        {request: object(`{"state":"\u0000"}`), mode: "query"},
		"a state that isn't text": {request: object(`{"state":1,"response_mode":"form_post"}`), mode: "query"},
		"no JSON":                 {request: object(`x`), mode: "query"},
		"no JWT":                  {request: "x", mode: "query"},
		"an encrypted one":        {request: "a.b.c.d.e", mode: "query"},
		"no base64":               {request: "e30.%.", mode: "query"},
	}

	app := &directory.Application{
		Grants: []oauth.GrantType{oauth.GrantAuthorizationCode},
		Scopes: oauth.Scopes{"openid"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values := url.Values{
				"client_id":     {"web"},
				"redirect_uri":  {"https://app.test/cb"},
				"response_type": {"code"},
				"scope":         {"openid"},
				"request":       {test.request},
			}
			for name, value := range test.query {
				values[name] = value
			}

			request, refused := domain.Parse(func(name string) []string { return values[name] })
			require.Nil(t, refused)
			require.Equal(t,
				domain.Reply{RedirectURI: "https://app.test/cb", Mode: test.mode, State: test.state},
				domain.ReplyTo(&request.Authorization))
			want := test.code
			if want == "" {
				want = oauth.RequestNotSupported
			}

			require.Equal(t, want, request.Check(app).Code)
		})
	}
}
