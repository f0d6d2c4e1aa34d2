package httpkit

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

func TestJSONIsNeitherEscapedNorPadded(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t, map[string]gin.HandlerFunc{"query": func(c *gin.Context) {
		JSON(c, http.StatusCreated, map[string]string{"url": "https://a.test/?a=1&b=<2>"})
	}}, nil)
	res := send(h, httptest.NewRequest(http.MethodGet, "/query", nil))
	require.Equal(t, http.StatusCreated, res.StatusCode)
	require.Equal(t, "application/json", res.Header.Get("Content-Type"))
	require.Equal(t, `{"url":"https://a.test/?a=1&b=<2>"}`, body(t, res))
}

func TestJSONThatCannotBeEncodedIsAServerError(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t,
		map[string]gin.HandlerFunc{"query": func(c *gin.Context) { JSON(c, http.StatusOK, func() {}) }}, nil)
	require.Equal(t, http.StatusInternalServerError,
		send(h, httptest.NewRequest(http.MethodGet, "/query", nil)).StatusCode)
}

func TestSeeOtherSendsTheAddressAsItIs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ url, location string }{
		"an address with a query":       {"https://app.test/cb?x=1&code=a%20b", "https://app.test/cb?x=1&code=a%20b"},
		"a private scheme":              {"com.example.app:/cb?code=1", "com.example.app:/cb?code=1"},
		"a path of our own":             {"/auth/flows/1", "/auth/flows/1"},
		"a line break starts no header": {"/a\r\nSet-Cookie: x=1", "/a%0D%0ASet-Cookie:%20x=1"},
		"letters beyond ASCII":          {"/é", "/%C3%A9"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newTestHandler(t,
				map[string]gin.HandlerFunc{"form": func(c *gin.Context) { SeeOther(c, test.url) }}, nil)
			res := send(h, httptest.NewRequest(http.MethodPost, "/form", nil))
			require.Equal(t, http.StatusSeeOther, res.StatusCode)
			require.Equal(t, test.location, res.Header.Get("Location"))
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
			require.Empty(t, body(t, res))
		})
	}
}

func TestWantsHTML(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		accept []string
		html   bool
	}{
		"no header":                        {nil, false},
		"an empty header":                  {[]string{""}, false},
		"anything":                         {[]string{"*/*"}, false},
		"a browser that navigates":         {[]string{browser}, true},
		"a script":                         {[]string{"application/json"}, false},
		"a script that takes anything too": {[]string{"application/json, text/plain, */*"}, false},
		"only pages":                       {[]string{"text/html"}, true},
		"any text":                         {[]string{"text/*"}, true},
		"both alike":                       {[]string{"text/html, application/json"}, false},
		"JSON a little less":               {[]string{"application/json;q=0.9, text/html"}, true},
		"JSON a little more":               {[]string{"text/html;q=0.8, application/json;q=0.9"}, false},
		"pages refused":                    {[]string{"text/html;q=0, */*"}, false},
		"JSON refused":                     {[]string{"application/json;q=0, */*"}, true},
		"the specific range decides":       {[]string{"*/*;q=1, text/html;q=0.1"}, false},
		"two header lines":                 {[]string{"application/json;q=0.1", "text/html"}, true},
		"in capitals":                      {[]string{"TEXT/HTML"}, true},
		"a weight that is none":            {[]string{"text/html;q=high"}, false},
		"a weight that is not a number":    {[]string{"text/html;q=NaN"}, false},
		"a weight beyond one":              {[]string{"text/html;q=2"}, false},
		"parameters before the weight":     {[]string{"text/html;level=1;q=0.5, application/json;q=0.4"}, true},
		"rubbish beside something useful":  {[]string{";;,/,text, text/html"}, true},
		"a related type is not the type":   {[]string{"application/xhtml+xml"}, false},
		"any application type":             {[]string{"application/*, text/html;q=0.9"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["Accept"] = test.accept
			require.Equal(t, test.html, WantsHTML(r))
		})
	}
}
