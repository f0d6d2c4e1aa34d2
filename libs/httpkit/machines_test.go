package httpkit

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// jdk is the Accept that java.net.HttpURLConnection sends by default.
const jdk = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"

// RFC 6749 5.2: a failure at an endpoint for programs is JSON, whatever its cause and
// whatever Accept says.
func TestMachinesHearJSONWhateverAcceptSays(t *testing.T) {
	t.Parallel()

	failures := map[string]gin.HandlerFunc{
		"an OAuth error":  failWith(oauth.Errorf(oauth.InvalidGrant, "no")),
		"a missing field": failWith(&MissingError{In: "body", Names: []string{"grant_type"}}),
		"a fault":         failWith(errors.New("broken")),
		"a panic":         func(*gin.Context) { panic("broken") },
	}
	for name, fails := range failures {
		handlers := map[string]gin.HandlerFunc{}
		for _, r := range api.Routes {
			handlers[r.OperationID] = fails
		}

		h, err := NewHandler(Options{Routes: api.Routes, Handlers: handlers, ErrorPage: page})
		require.NoError(t, err)

		for _, r := range api.Routes {
			for _, accept := range []string{jdk, browser} {
				for _, method := range []string{r.Method, http.MethodDelete} {
					request := httptest.NewRequest(method, strings.NewReplacer("{", "", "}", "").Replace(r.Path), nil)
					request.Header.Set("Accept", accept)
					res := send(h, request)
					where := name + ": " + method + " " + r.Path

					require.GreaterOrEqual(t, res.StatusCode, 400, where)

					if r.Pages {
						require.Contains(t, res.Header.Get("Content-Type"), "text/html", where)
						continue
					}

					require.Equal(t, "application/json", res.Header.Get("Content-Type"), where)
					require.NotContains(t, res.Header.Values("Vary"), "Accept", where)
				}
			}
		}
	}
}

// RFC 9110 9.2.1: HEAD is safe, so it must not do what a browser's GET does.
func TestHeadAsksNoHandlerOfAPage(t *testing.T) {
	t.Parallel()

	asked := map[string]bool{}
	handlers := map[string]gin.HandlerFunc{}
	for _, r := range api.Routes {
		handlers[r.OperationID] = func(c *gin.Context) {
			asked[r.OperationID] = true
			c.Status(http.StatusOK)
		}
	}

	h, err := NewHandler(Options{Routes: api.Routes, Handlers: handlers, ErrorPage: page})
	require.NoError(t, err)

	for _, r := range api.Routes {
		if r.Method != http.MethodGet {
			continue
		}
		res := send(h, httptest.NewRequest(http.MethodHead, strings.NewReplacer("{", "", "}", "").Replace(r.Path), nil))
		require.Equal(t, http.StatusOK, res.StatusCode, r.Path)
		require.Equal(t, !r.Pages, asked[r.OperationID], r.Path)
	}
}
