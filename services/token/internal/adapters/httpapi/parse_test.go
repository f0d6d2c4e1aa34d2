package httpapi

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/app"
)

func parse(form, authorization string) (app.Request, error) {
	return parseWith(parseToken, form, authorization)
}

// parseWith runs a parser on a form and, where not empty, an Authorization header.
func parseWith[T any](
	parser func(*httpkit.Params, []string) (T, error), form, authorization string,
) (request T, err error) {
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form))
	c.Request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	params, err := httpkit.Form(c)
	if err != nil {
		return request, err
	}

	var headers []string
	if authorization != "" {
		headers = []string{authorization}
	}

	return parser(params, headers)
}

func TestEveryParameterOfATokenRequestIsRead(t *testing.T) {
	got, err := parse("grant_type=g&client_id=app&client_secret=s&code=c&redirect_uri=https%3A%2F%2Fa.test%2Fcb&code_verifier=v&refresh_token=r"+
		"&device_code=d&scope=a+b&resource=r1&resource=&resource=r2&audience=a1&unknown=x", "")
	require.NoError(t, err)
	require.Equal(t, app.Request{
		Caller: app.Caller{Credentials: clientauth.Credentials{
			Method:   clientauth.Post,
			ClientID: "app",
			Secret:   "s",
		}},
		GrantType:    "g",
		Code:         "c",
		RedirectURI:  "https://a.test/cb",
		CodeVerifier: "v",
		RefreshToken: "r",
		DeviceCode:   "d",
		Scope:        "a b",
		Resources:    []string{"r1", "r2"},
		Audiences:    []string{"a1"},
	}, got)
}

// Whatever an attacker sends becomes a request that names a grant type and an
// application, or an error that the edge has an answer to.
func FuzzTokenRequest(f *testing.F) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("app:secret"))
	f.Add("grant_type=authorization_code&code=c&redirect_uri=x&client_id=app", "")
	f.Add("grant_type=client_credentials&scope=a+b", basic)
	f.Add("grant_type=x&grant_type=y", basic)
	f.Add("grant_type=%00&client_id=%ff", "")
	f.Add("resource=a&resource=b&grant_type=x&client_id=a", "Bearer x")
	f.Fuzz(func(t *testing.T, form, authorization string) {
		request, err := parse(form, authorization)
		if err != nil {
			_, wire := errors.AsType[*oauth.Error](err)
			_, missing := errors.AsType[*httpkit.MissingError](err)
			if !wire && !missing {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}

		if request.GrantType == "" || request.Credentials.ClientID == "" {
			t.Fatal("a request without grant type or client passed")
		}

		for _, s := range append([]string{
			string(request.GrantType), request.Credentials.ClientID, request.Code, request.RedirectURI,
			request.CodeVerifier, request.DeviceCode, request.Scope,
		}, append(request.Resources, request.Audiences...)...) {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Fatalf("no database would take %q", s)
			}
		}
	})
}

func TestParseBearer(t *testing.T) {
	for name, tt := range map[string]struct {
		header  []string
		form    string
		inQuery bool
		want    string
		code    oauth.Code
		missing bool
	}{
		"in the header (RFC 6750 2.1)": {header: []string{"Bearer abc.def-_~+/="}, want: "abc.def-_~+/="},
		"the scheme in other capitals": {header: []string{"bEARER abc"}, want: "abc"},
		"more than one space":          {header: []string{"Bearer   abc "}, want: "abc"},
		"in a form (2.2)":              {form: "abc", want: "abc"},
		"an empty header and a form":   {header: []string{""}, form: "abc", want: "abc"},
		"nowhere":                      {missing: true},
		"an empty header":              {header: []string{" "}, missing: true},
		"in the query alone (2.3)":     {inQuery: true, missing: true},
		"in header and form":           {header: []string{"Bearer abc"}, form: "abc", code: oauth.InvalidRequest},
		"in header and query":          {header: []string{"Bearer abc"}, inQuery: true, code: oauth.InvalidRequest},
		"in form and query":            {form: "abc", inQuery: true, code: oauth.InvalidRequest},
		"another scheme and a form":    {header: []string{"Basic abc"}, form: "abc", code: oauth.InvalidRequest},
		"two headers":                  {header: []string{"Bearer abc", "Bearer abc"}, code: oauth.InvalidRequest},
		"another scheme":               {header: []string{"Basic abc"}, code: oauth.InvalidToken},
		"no scheme":                    {header: []string{"abc"}, code: oauth.InvalidToken},
		"the scheme alone":             {header: []string{"Bearer"}, code: oauth.InvalidToken},
		"only padding":                 {header: []string{"Bearer =="}, code: oauth.InvalidToken},
		"padding in the middle":        {header: []string{"Bearer a=b"}, code: oauth.InvalidToken},
		"a space in the token":         {header: []string{"Bearer a b"}, code: oauth.InvalidToken},
		"two tokens with a comma":      {header: []string{"Bearer a,b"}, code: oauth.InvalidToken},
		"a token in quotes":            {header: []string{`Bearer "a"`}, code: oauth.InvalidToken},
		"letters beyond ASCII":         {header: []string{"Bearer é"}, code: oauth.InvalidToken},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseBearer(tt.header, tt.form, tt.inQuery)
			switch {
			case tt.missing:
				var missing *httpkit.MissingError
				require.ErrorAs(t, err, &missing)
				require.Equal(t, &httpkit.MissingError{In: "header", Names: []string{"authorization"}}, missing)
			case tt.code != "":
				var wire *oauth.Error
				require.ErrorAs(t, err, &wire)
				require.Equal(t, tt.code, wire.Code)
			default:
				require.NoError(t, err)
				require.Equal(t, tt.want, got)
			}
		})
	}
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer abc", "", false)
	f.Add("Basic abc", "abc", true)
	f.Add("", "abc", false)
	f.Fuzz(func(t *testing.T, header, form string, inQuery bool) {
		got, err := parseBearer([]string{header}, form, inQuery)
		if err != nil {
			if got != "" {
				t.Fatal("a token beside an error")
			}
			return
		}

		if got == "" || inQuery || (got != form && strings.ContainsAny(got, " ,\"\\\x00\r\n")) {
			t.Fatalf("passed: %q", got)
		}
	})
}
