package httpkit

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

const spa = "https://spa.test"

// newCORSHandler has one open operation, one for registered origins, and others.
func newCORSHandler(t *testing.T, knownErr error) http.Handler {
	t.Helper()
	return newTestHandler(t, map[string]gin.HandlerFunc{
		"form": func(c *gin.Context) {
			AllowOrigin(c, []string{spa, "null"})
			c.String(http.StatusOK, "%t", CrossOrigin(c))
		},
	}, func(o *Options) {
		o.CORS = CORS{
			Open: []string{"query"}, Registered: []string{"form"},
			Known: func(_ context.Context, origin string) (bool, error) {
				return origin == spa || origin == "https://another-spa.test" || origin == "null", knownErr
			},
		}
	})
}

func crossOrigin(method, path string, header ...string) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

const wants = "Access-Control-Request-Method"

func requireNoPermission(t *testing.T, res *http.Response) {
	t.Helper()
	for name := range res.Header {
		require.NotContains(t, name, "Access-Control-", "no CORS header")
	}
}

func TestPreflights(t *testing.T) {
	t.Parallel()
	h := newCORSHandler(t, nil)
	tests := map[string]struct {
		path   string
		header []string
		status int
		origin string // allowed
		vary   string
		allow  string
	}{
		"a registered origin (Fetch 3.2.2)": {
			path:   "/form",
			header: []string{"Origin", spa, wants, "POST"},
			status: 204,
			origin: spa,
			vary:   "Origin",
			allow:  "POST, OPTIONS",
		},
		"another application's, for it names none": {
			path:   "/form",
			header: []string{"Origin", "https://another-spa.test", wants, "POST"},
			status: 204,
			origin: "https://another-spa.test",
			vary:   "Origin",
			allow:  "POST, OPTIONS",
		},
		"an unregistered origin": {
			path:   "/form",
			header: []string{"Origin", "https://evil.test", wants, "POST"},
			status: 204,
			vary:   "Origin",
			allow:  "POST, OPTIONS",
		},
		"an origin in other capitals": {
			path:   "/form",
			header: []string{"Origin", "https://SPA.test", wants, "POST"},
			status: 204,
			vary:   "Origin",
			allow:  "POST, OPTIONS",
		},
		"the origin null, which any sandbox has": {
			path:   "/form",
			header: []string{"Origin", "null", wants, "POST"},
			status: 204,
			vary:   "Origin",
			allow:  "POST, OPTIONS",
		},
		"two origins": {
			path:   "/form",
			header: []string{"Origin", spa, "Origin", spa, wants, "POST"},
			status: 204,
			vary:   "Origin",
			allow:  "POST, OPTIONS",
		},
		"OPTIONS that isn't a preflight (RFC 9110 9.3.7)": {
			path:   "/form",
			header: []string{"Origin", spa},
			status: 204,
			vary:   "Origin",
			allow:  "POST, OPTIONS",
		},
		"what is open to every origin": {
			path:   "/query",
			header: []string{"Origin", "https://evil.test", wants, "GET"},
			status: 204,
			origin: "*",
			allow:  "GET, HEAD, OPTIONS",
		},
		"an operation that no other origin has use for": {
			path:   "/flows/1/consent",
			header: []string{"Origin", spa, wants, "POST"},
			status: 405,
			allow:  "POST",
		},
		"an operation of GET that no other origin may use": {
			path:   "/flows/1",
			header: []string{"Origin", spa, wants, "GET"},
			status: 405,
			allow:  "GET, HEAD",
		},
		"a path that does not exist": {
			path:   "/none",
			header: []string{"Origin", spa, wants, "GET"},
			status: 404,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := send(h, crossOrigin(http.MethodOptions, test.path, test.header...))
			require.Equal(t, test.status, res.StatusCode)
			require.Equal(t, test.vary, res.Header.Get("Vary"))
			require.Equal(t, test.allow, res.Header.Get("Allow"))
			require.Empty(t, res.Header.Values("Access-Control-Allow-Credentials"))

			if test.origin == "" {
				requireNoPermission(t, res)
				return
			}

			require.Equal(t, []string{test.origin}, res.Header.Values("Access-Control-Allow-Origin"))
			require.NotEmpty(t, res.Header.Get("Access-Control-Allow-Methods"))
			require.NotEmpty(t, res.Header.Get("Access-Control-Allow-Headers"))
			require.NotEmpty(t, res.Header.Get("Access-Control-Max-Age"))
		})
	}
}

func TestTheAnswerIsForTheOriginThatTheHandlerAllows(t *testing.T) {
	t.Parallel()
	h := newCORSHandler(t, nil)
	res := send(h, crossOrigin(http.MethodPost, "/form", "Origin", spa))
	require.Equal(t, []string{spa}, res.Header.Values("Access-Control-Allow-Origin"))
	require.Contains(t, res.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate")
	require.Empty(t, res.Header.Values("Access-Control-Allow-Credentials"))
	require.Equal(t, "true", body(t, res))

	for _, origins := range [][]string{
		{}, {"Origin", "https://another-spa.test"}, {"Origin", "null"}, {"Origin", spa, "Origin", "https://evil.test"},
	} {
		res = send(h, crossOrigin(http.MethodPost, "/form", origins...))
		requireNoPermission(t, res)
		require.Equal(t, "Origin", res.Header.Get("Vary"), "also without an origin: a cache must not mix them up")
	}

	res = send(h, crossOrigin(http.MethodGet, "/query", "Origin", "https://evil.test"))
	require.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"))
	requireNoPermission(t, send(h, crossOrigin(http.MethodGet, "/flows/1", "Origin", spa)))
}

// Fetch 4.10: a page that may not read a response sees a network error. A response that
// doesn't concern one application is readable by every registered origin, and one that
// does by that application's only.
func TestAFailureThatIsAboutNoApplicationIsReadByRegisteredOrigins(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		handler  gin.HandlerFunc
		origin   string
		readable bool
	}{
		"a registered origin": {failWith(oauth.Errorf(oauth.InvalidClient, "who")), spa, true},
		"a panic":             {func(*gin.Context) { panic("broken") }, spa, true},
		"an origin that is none": {
			failWith(oauth.Errorf(oauth.InvalidClient, "who")), "https://evil.test", false,
		},
		"null":                         {failWith(oauth.Errorf(oauth.InvalidClient, "who")), "null", false},
		"a success without a decision": {func(c *gin.Context) { JSON(c, http.StatusOK, "secret") }, spa, false},
		"a failure of another's request": {
			func(c *gin.Context) {
				AllowOrigin(c, []string{"https://another-spa.test"})
				Fail(c, oauth.Errorf(oauth.InvalidGrant, "no"))
			}, spa, false,
		},
		"a failure of one without pages": {
			func(c *gin.Context) {
				AllowOrigin(c, nil)
				Fail(c, oauth.Errorf(oauth.InvalidGrant, "no"))
			}, spa, false,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newTestHandler(t, map[string]gin.HandlerFunc{"form": test.handler}, func(o *Options) {
				o.CORS = CORS{Registered: []string{"form"}, Known: knownToTest}
			})
			res := send(h, crossOrigin(http.MethodPost, "/form", "Origin", test.origin))

			require.Equal(t, []string{"Origin"}, res.Header.Values("Vary"))

			if test.readable {
				require.Equal(t, test.origin, res.Header.Get("Access-Control-Allow-Origin"))
				require.Contains(t, res.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate")
				return
			}

			requireNoPermission(t, res)
		})
	}

	h := newTestHandler(t, nil, func(o *Options) { o.CORS = CORS{Registered: []string{"form"}, Known: knownToTest} })
	res := send(h, crossOrigin(http.MethodPost, "/form?%ff", "Origin", spa))
	require.Equal(t, http.StatusBadRequest, res.StatusCode, "refused before any handler")
	require.Equal(t, spa, res.Header.Get("Access-Control-Allow-Origin"))
}

func knownToTest(_ context.Context, origin string) (bool, error) {
	return origin == spa || origin == "https://another-spa.test", nil
}

// Tracing libraries add traceparent (W3C Trace Context 3.2), and HTTP libraries add
// X-Requested-With. If a browser may not send a header, it doesn't send the request.
func TestPreflightsAdmitWhatLibrariesAdd(t *testing.T) {
	t.Parallel()

	res := send(newCORSHandler(t, nil), crossOrigin(http.MethodOptions, "/form", "Origin", spa, wants, "POST"))
	require.Equal(t, "Authorization, Content-Type, Traceparent, Tracestate, X-Requested-With",
		res.Header.Get("Access-Control-Allow-Headers"))
}

func TestAPreflightFailsWhileTheRegistryIsAway(t *testing.T) {
	t.Parallel()
	res := send(newCORSHandler(t, errors.New("broken")),
		crossOrigin(http.MethodOptions, "/form", "Origin", spa, wants, "POST"))
	require.Equal(t, http.StatusInternalServerError, res.StatusCode)
	requireNoPermission(t, res)
}

func TestCORSThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	known := func(context.Context, string) (bool, error) { return false, nil }
	for name, test := range map[string]struct {
		cors CORS
		says string
	}{
		"an operation that is not served":      {CORS{Open: []string{"none"}}, `CORS for "none"`},
		"registered origins without a look-up": {CORS{Registered: []string{"form"}}, "needs Known"},
		"a registered one that is not served": {
			CORS{Registered: []string{"none"}, Known: known}, `CORS for "none"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewHandler(Options{CORS: test.cors})
			require.ErrorContains(t, err, test.says)
		})
	}
}
