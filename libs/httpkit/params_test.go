package httpkit

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// readBoth reads the same two parameters from query and form, as an endpoint does.
func readBoth(read func(*gin.Context) (*Params, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		p, err := read(c)
		if err == nil {
			err = p.Missing("client_id", "scope")
		}
		if err == nil && p.Twice("client_id", "scope") != "" {
			err = oauth.Errorf(oauth.InvalidRequest, "a parameter is repeated")
		}

		if err != nil {
			Fail(c, err)
			return
		}

		JSON(c, http.StatusOK, map[string]any{"client_id": p.Get("client_id"), "resource": p.All("resource")})
	}
}

func missingBody(in string, names ...string) string {
	var detail []string
	for _, n := range names {
		detail = append(detail, `{"type":"missing","loc":["`+in+`","`+n+`"],"msg":"Field required","input":null}`)
	}
	return `{"detail":[` + strings.Join(detail, ",") +
		`],"error":"invalid_request","error_description":"required and missing: ` + strings.Join(names, ", ") + `"}`
}

func TestEveryKindOfQuery(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		query  string
		status int
		body   string
	}{
		"all there": {
			"client_id=a+b%26&scope=x&unknown", 200, `{"client_id":"a b&","resource":null}`,
		},
		"empty counts as sent":            {"client_id=&scope", 200, `{"client_id":"","resource":null}`},
		"one missing":                     {"client_id=a", 422, missingBody("query", "scope")},
		"all missing, in order":           {"", 422, missingBody("query", "client_id", "scope")},
		"one doubled":                     {"client_id=a&scope=x&client_id=a", 400, "a parameter is repeated"},
		"one doubled, once without value": {"client_id=&scope=x&client_id=a", 200, `{"client_id":"a","resource":null}`},
		"an unknown one doubled": {
			"client_id=a&scope=x&utm=1&utm=2", 200, `{"client_id":"a","resource":null}`,
		},
		"resource may repeat": {
			"client_id=a&scope=x&resource=1&resource=&resource=2", 200, `{"client_id":"a","resource":["1","2"]}`,
		},
		"a semicolon is a character":      {"client_id=a;b&scope=x", 200, `{"client_id":"a;b","resource":null}`},
		"invalid UTF-8, encoded":          {"client_id=%ff&scope=x", 400, "not valid UTF-8, or a NUL"},
		"invalid UTF-8, in a name":        {"client_id=a&scope=x&%ff=1", 400, "not valid UTF-8, or a NUL"},
		"invalid UTF-8, raw":              {"client_id=\xff&scope=x", 400, "not valid UTF-8, or a NUL"},
		"NUL":                             {"client_id=a%00&scope=x", 400, "not valid UTF-8, or a NUL"},
		"a percent sign and nothing":      {"client_id=a%&scope=x", 400, "the query is not well-formed"},
		"a percent sign and no digits":    {"client_id=a%zz&scope=x", 400, "the query is not well-formed"},
		"more parameters than any use":    {strings.Repeat("a&", 257), 400, "more than 256 parameters"},
		"a megabyte":                      {"client_id=" + strings.Repeat("x", 1<<20), 414, "exceed 32768 bytes"},
		"HTML in a value is sent as HTML": {"client_id=%3Cb%3E&scope=x", 200, `{"client_id":"<b>","resource":null}`},
	}

	h := newTestHandler(t, map[string]gin.HandlerFunc{"query": readBoth(Query)}, nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/query", nil)
			r.URL.RawQuery = test.query
			res := send(h, r)
			got := body(t, res)
			require.Equal(t, test.status, res.StatusCode, got)
			require.Contains(t, got, test.body)

			if res.StatusCode == http.StatusUnprocessableEntity {
				require.Equal(t, test.body, got)
			}

			require.Equal(t, "application/json", res.Header.Get("Content-Type"))
		})
	}
}

func TestEveryKindOfForm(t *testing.T) {
	t.Parallel()
	const types = "must be application/x-www-form-urlencoded"
	tests := map[string]struct {
		contentType []string
		form        string
		status      int
		body        string
	}{
		"all there": {
			[]string{formType}, "client_id=a&scope=x", 200, `{"client_id":"a","resource":null}`,
		},
		"with a charset": {
			[]string{formType + "; charset=UTF-8"}, "client_id=a&scope=x", 200, `{"client_id":"a","resource":null}`,
		},
		"in capitals": {
			[]string{"Application/X-WWW-Form-Urlencoded"},
			"client_id=a&scope=x", 200,
			`{"client_id":"a","resource":null}`,
		},
		"empty counts as missing": {
			[]string{formType}, "client_id=&scope=x", 422, missingBody("body", "client_id"),
		},
		"no body and no type":        {nil, "", 422, missingBody("body", "client_id", "scope")},
		"no body and the right type": {[]string{formType}, "", 422, missingBody("body", "client_id", "scope")},
		"a body and no type":         {nil, "client_id=a&scope=x", 400, types},
		"JSON":                       {[]string{"application/json"}, `{"client_id":"a"}`, 400, types},
		"JSON without a body":        {[]string{"application/json"}, "", 400, types},
		"multipart":                  {[]string{"multipart/form-data; boundary=x"}, "--x--", 400, types},
		"a type that is none":        {[]string{"/;"}, "client_id=a", 400, types},
		"two types":                  {[]string{formType, formType}, "client_id=a&scope=x", 400, types},
		"one doubled": {
			[]string{formType}, "client_id=a&scope=x&scope=y", 400, "a parameter is repeated",
		},
		"one doubled, once without value": {
			[]string{formType}, "client_id=a&scope=&scope=y", 200, `{"client_id":"a","resource":null}`,
		},
		"an unknown one doubled": {
			[]string{formType}, "client_id=a&scope=x&utm=1&utm=2", 200, `{"client_id":"a","resource":null}`,
		},
		"resource may repeat": {
			[]string{formType},
			"client_id=a&scope=x&resource=1&resource=2", 200,
			`{"client_id":"a","resource":["1","2"]}`,
		},
		"invalid UTF-8, encoded": {
			[]string{formType}, "client_id=%c3%28&scope=x", 400, "not valid UTF-8, or a NUL",
		},
		"invalid UTF-8, raw": {
			[]string{formType}, "client_id=\xff&scope=x", 400, "not valid UTF-8, or a NUL",
		},
		"NUL, encoded": {
			[]string{formType}, "client_id=%00&scope=x", 400, "not valid UTF-8, or a NUL",
		},
		"NUL, raw": {
			[]string{formType}, "client_id=\x00&scope=x", 400, "not valid UTF-8, or a NUL",
		},
		"malformed percent-encoding": {
			[]string{formType}, "client_id=%4&scope=x", 400, "the body is not well-formed",
		},
		"a megabyte": {
			[]string{formType}, "client_id=" + strings.Repeat("x", 1<<20), 413, "exceeds 32768 bytes",
		},
		"a megabyte of the wrong type": {[]string{"text/plain"}, strings.Repeat("x", 1<<20), 400, types},
		"a megabyte of single characters": {
			[]string{formType}, strings.Repeat("a&", 16000), 400, "more than 256 parameters",
		},
	}

	h := newTestHandler(t, map[string]gin.HandlerFunc{"form": readBoth(Form)}, nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/form", strings.NewReader(test.form))
			r.Header["Content-Type"] = test.contentType
			res := send(h, r)
			got := body(t, res)
			require.Equal(t, test.status, res.StatusCode, got)
			require.Contains(t, got, test.body)

			if res.StatusCode == http.StatusUnprocessableEntity {
				require.Equal(t, test.body, got)
			}

			if res.StatusCode >= 400 {
				require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
				require.Equal(t, "no-cache", res.Header.Get("Pragma"))
			}
		})
	}
}

func TestPathsWithTextThatNoDatabaseTakesAreRefused(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t, nil, nil)
	for _, path := range []string{"/flows/%ff", "/flows/%00", "/nope/%c3%28"} {
		res := send(h, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusBadRequest, res.StatusCode, path)
		require.Contains(t, body(t, res), `"error":"invalid_request"`)
	}
}

func TestQueryAndBodyAreReadOnce(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t, map[string]gin.HandlerFunc{"form": func(c *gin.Context) {
		q1, err := Query(c)
		require.NoError(t, err)
		q2, err := Query(c)
		require.NoError(t, err)
		require.Same(t, q1, q2)
		require.True(t, q1.Has("q"))
		f1, err := Form(c)
		require.NoError(t, err)
		f2, err := Form(c)
		require.NoError(t, err)
		require.Same(t, f1, f2)
		require.Equal(t, "1", f1.Get("f"))
		require.False(t, f1.Has("empty"))
		content, err := Body(c)
		require.NoError(t, err)
		require.Equal(t, "f=1&empty=", string(content))
		c.Status(http.StatusAccepted)
	}}, nil)

	r := httptest.NewRequest(http.MethodPost, "/form?q", strings.NewReader("f=1&empty="))
	r.Header.Set("Content-Type", formType)
	require.Equal(t, http.StatusAccepted, send(h, r).StatusCode)
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestABodyThatBreaksOffIsABadRequest(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t, map[string]gin.HandlerFunc{"form": readBoth(Form)}, nil)
	r := httptest.NewRequest(http.MethodPost, "/form", brokenBody{})
	r.Header.Set("Content-Type", formType)
	res := send(h, r)
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	require.NotContains(t, body(t, res), "reset")
}
