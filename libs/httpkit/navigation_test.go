package httpkit_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
)

// Fetch Metadata Request Headers 2.
func TestAPageIsForABrowsersTab(t *testing.T) {
	asked, pages := 0, 0
	handler, err := httpkit.NewHandler(httpkit.Options{
		Service: "pages",
		Routes: []api.Route{
			{Method: http.MethodGet, Path: "/page", OperationID: "page", Pages: true},
			{Method: http.MethodPost, Path: "/page", OperationID: "form", Pages: true},
			{Method: http.MethodGet, Path: "/data", OperationID: "data"},
		},
		Handlers: httpkit.Handlers{
			"page": func(c *gin.Context) { asked++; c.Status(http.StatusOK) },
			"form": func(c *gin.Context) { asked++; c.Status(http.StatusOK) },
			"data": func(c *gin.Context) { c.Status(http.StatusOK) },
		},
		ErrorPage:  func(http.ResponseWriter, *http.Request, httpkit.Problem) { pages++ },
		Unattended: func(r *http.Request) bool { return httpkit.InFrame(r) && r.URL.Query().Has("silent") },
	})

	require.NoError(t, err)
	send := func(method, path string, headers map[string]string) int {
		r := httptest.NewRequest(method, path, http.NoBody)
		r.Header.Set("Accept", "text/html")
		for name, value := range headers {
			r.Header.Set(name, value)
		}

		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		require.Empty(t, rec.Result().Cookies())
		return rec.Code
	}

	metadata := func(mode, dest, site string) map[string]string {
		return map[string]string{"Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest, "Sec-Fetch-Site": site}
	}
	prefetch := metadata("navigate", "document", "cross-site")
	prefetch["Sec-Purpose"] = "prefetch;prerender"

	for name, headers := range map[string]map[string]string{
		"a link":               metadata("navigate", "document", "cross-site"),
		"the address bar":      metadata("navigate", "document", "none"),
		"an older browser":     nil,
		"a script of our page": metadata("cors", "empty", "same-origin"),
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			asked = 0
			require.Equal(t, http.StatusOK, send(method, "/page", headers), name)
			require.Equal(t, 1, asked, name)
		}
	}

	for name, headers := range map[string]map[string]string{
		"an image":               metadata("no-cors", "image", "cross-site"),
		"an image without site":  {"Sec-Fetch-Dest": "image"},
		"a script":               metadata("no-cors", "script", "cross-site"),
		"a fetch":                metadata("cors", "empty", "cross-site"),
		"a fetch by a neighbour": metadata("no-cors", "empty", "same-site"),
		"only the mode":          {"Sec-Fetch-Mode": "no-cors"},
		"a frame":                metadata("navigate", "iframe", "cross-site"),
		"an object":              metadata("navigate", "object", "cross-site"),
		"an image of our page":   metadata("no-cors", "image", "same-origin"),
		"a prerendering":         prefetch,
		"a strange value":        metadata("navigate, cors", "document", "cross-site"),
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			asked = 0
			require.Equal(t, http.StatusForbidden, send(method, "/page", headers), name)
			require.Zero(t, asked, name)
		}

		send(http.MethodHead, "/page", headers) // which asks no handler of a page at all
		require.Zero(t, asked, name)
		require.Equal(t, http.StatusOK, send(http.MethodGet, "/data", headers), "only pages are restricted")
	}

	require.Equal(t, http.StatusOK, send(http.MethodGet, "/page?silent", metadata("navigate", "iframe", "cross-site")))
	require.Equal(t, http.StatusForbidden,
		send(http.MethodGet, "/page?silent", metadata("no-cors", "image", "cross-site")))
	require.Zero(t, pages, "an error page is a row in the trail")
}
