package httpkit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// routes has one of each kind of path.
var routes = []api.Route{
	{Method: "GET", Path: "/query", Service: "test", OperationID: "query"},
	{Method: "POST", Path: "/form", Service: "test", OperationID: "form"},
	{Method: "GET", Path: "/flows/{flow}", Service: "test", OperationID: "flow", Pages: true},
	{Method: "POST", Path: "/flows/{flow}/consent", Service: "test", OperationID: "consent", Pages: true},
}

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

// newTestHandler serves routes. The given handlers replace those that respond with 204.
func newTestHandler(t testing.TB, handlers map[string]gin.HandlerFunc, change func(*Options)) http.Handler {
	t.Helper()
	all := map[string]gin.HandlerFunc{}
	for _, r := range routes {
		all[r.OperationID] = func(c *gin.Context) { c.Status(http.StatusNoContent) }
	}

	for id, h := range handlers {
		all[id] = h
	}

	o := Options{Service: "test", Routes: routes, Handlers: all}
	if change != nil {
		change(&o)
	}

	h, err := NewHandler(o)
	require.NoError(t, err)
	return h
}

func send(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	content, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(content)
}

func failWith(err error) gin.HandlerFunc { return func(c *gin.Context) { Fail(c, err) } }

// page is an ErrorPage that shows its arguments.
func page(w http.ResponseWriter, _ *http.Request, p Problem) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(p.Status)
	fmt.Fprintf(w, "<p>%d %s %s %s", p.Status, p.Code, p.Description, strings.Join(p.Missing, " "))
}

func TestRoutesAndHandlersMustMatch(t *testing.T) {
	t.Parallel()
	ok := func(*gin.Context) {}
	tests := map[string]struct {
		routes   []api.Route
		handlers map[string]gin.HandlerFunc
		problem  string
	}{
		"a route without a handler": {
			[]api.Route{{Method: "GET", Path: "/a", OperationID: "a"}}, nil, `GET /a has no handler "a"`,
		},
		"a handler without a route": {nil, map[string]gin.HandlerFunc{"b": ok}, `handler "b" belongs to no route`},
		"a route listed twice": {
			[]api.Route{{Method: "GET", Path: "/a", OperationID: "a"}, {Method: "GET", Path: "/a", OperationID: "a"}},
			map[string]gin.HandlerFunc{"a": ok},
			"GET /a is listed twice",
		},
		"half a parameter": {
			[]api.Route{{Method: "GET", Path: "/a{b", OperationID: "a"}},
			map[string]gin.HandlerFunc{"a": ok},
			`segment "a{b"`,
		},
		"a path without its slash": {
			[]api.Route{{Method: "GET", Path: "a", OperationID: "a"}},
			map[string]gin.HandlerFunc{"a": ok},
			"does not start with a slash",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewHandler(Options{Routes: test.routes, Handlers: test.handlers})
			require.ErrorContains(t, err, test.problem)
		})
	}
}

func TestEveryServiceOfTheContractCanBeMounted(t *testing.T) {
	t.Parallel()
	handlers := map[string]gin.HandlerFunc{}
	for _, r := range api.Routes {
		handlers[r.OperationID] = func(c *gin.Context) { c.Status(http.StatusNoContent) }
	}

	h, err := NewHandler(Options{Routes: api.Routes, Handlers: handlers})
	require.NoError(t, err)

	for _, r := range api.Routes {
		path := strings.NewReplacer("{flow}", "flw_1", "{file}", "a.css").Replace(r.Path)
		require.Equal(t, http.StatusNoContent, send(h, httptest.NewRequest(r.Method, path, nil)).StatusCode, r.Path)
		if r.Method == http.MethodGet && !r.Pages {
			require.Equal(t, http.StatusNoContent,
				send(h, httptest.NewRequest(http.MethodHead, path, nil)).StatusCode, r.Path)
		}
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, target, accept string
		status                 int
		body, allow            string
	}{
		"an unknown path":                  {"GET", "/nope", "", 404, `{"detail":"Not Found"}`, ""},
		"a trailing slash is another path": {"GET", "/query/", "", 404, `{"detail":"Not Found"}`, ""},
		"another case is another path":     {"GET", "/QUERY", "", 404, `{"detail":"Not Found"}`, ""},
		"a doubled slash is another path":  {"GET", "//query", "", 404, `{"detail":"Not Found"}`, ""},
		"an encoded slash makes no new segment": {
			"POST", "/flows/a%2Fconsent", "", 405, `{"detail":"Method Not Allowed"}`, "GET, HEAD",
		},
		"a wrong method": {
			"DELETE", "/query", "", 405, `{"detail":"Method Not Allowed"}`, "GET, HEAD",
		},
		"HEAD where only POST is":       {"HEAD", "/form", "", 405, `{"detail":"Method Not Allowed"}`, "POST"},
		"an unknown method":             {"BREW", "/form", "", 405, `{"detail":"Method Not Allowed"}`, "POST"},
		"an unknown path beside a page": {"GET", "/flows", browser, 404, "<p>404  Not Found ", ""},
		"a wrong method where a page is": {
			"GET", "/flows/a/consent", browser, 405, "<p>405  Method Not Allowed ", "POST",
		},
		"HEAD of that": {
			"HEAD", "/flows/a/consent", browser, 405, `{"detail":"Method Not Allowed"}`, "POST",
		},
		"an unknown path, whatever Accept says": {"GET", "/nope", browser, 404, `{"detail":"Not Found"}`, ""},
		"a wrong method, whatever Accept says": {
			"GET", "/form", browser, 405, `{"detail":"Method Not Allowed"}`, "POST",
		},
	}

	h := newTestHandler(t, nil, func(o *Options) { o.ErrorPage = page })
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(test.method, test.target, nil)
			r.Header.Set("Accept", test.accept)
			res := send(h, r)
			require.Equal(t, test.status, res.StatusCode)
			require.Equal(t, test.body, body(t, res))
			require.Equal(t, test.allow, res.Header.Get("Allow"))
			require.Equal(t, strings.HasPrefix(test.target, "/flows"), res.Header.Get("Vary") == "Accept")
			require.NotEmpty(t, res.Header.Get("X-Request-Id"))
			require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
		})
	}
}

func TestAHandlerWithoutRoutesAnswers404(t *testing.T) {
	t.Parallel()
	h, err := NewHandler(Options{})
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, send(h, httptest.NewRequest(http.MethodGet, "/", nil)).StatusCode)
}

func TestPathParametersKeepWhatWasSent(t *testing.T) {
	t.Parallel()
	var flow string
	h := newTestHandler(t, map[string]gin.HandlerFunc{"flow": func(c *gin.Context) { flow = c.Param("flow") }}, nil)
	send(h, httptest.NewRequest(http.MethodGet, "/flows/a%2Fb%C3%A9", nil))
	require.Equal(t, "a/bé", flow)
}

func TestSecurityHeadersAreOnEveryAnswer(t *testing.T) {
	t.Parallel()

	for _, secure := range []bool{false, true} {
		h := newTestHandler(t, nil, func(o *Options) { o.Secure = secure })
		for _, target := range []string{"/query", "/nope", "/query?%00"} {
			header := send(h, httptest.NewRequest(http.MethodGet, target, nil)).Header
			require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
			require.Equal(t, "no-referrer", header.Get("Referrer-Policy"))
			require.Equal(t, "DENY", header.Get("X-Frame-Options"))
			require.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'")
			require.Equal(t, secure, header.Get("Strict-Transport-Security") != "")
		}
	}
}

func TestAPageReplacesTheDefaultPolicyForItselfOnly(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t,
		map[string]gin.HandlerFunc{"query": func(c *gin.Context) { c.Header("Content-Security-Policy", "mine") }}, nil)
	require.Equal(t, "mine",
		send(h, httptest.NewRequest(http.MethodGet, "/query", nil)).Header.Get("Content-Security-Policy"))
	require.Equal(t, nothingLoad[0],
		send(h, httptest.NewRequest(http.MethodGet, "/flows/a", nil)).Header.Get("Content-Security-Policy"))
}

func TestTheContextEndsAtTheDeadline(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t, map[string]gin.HandlerFunc{"query": func(c *gin.Context) {
		<-c.Request.Context().Done()
		Fail(c, fmt.Errorf("read the application: %w", c.Request.Context().Err()))
	}}, func(o *Options) { o.Deadline = time.Millisecond })
	res := send(h, httptest.NewRequest(http.MethodGet, "/query", nil))
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Equal(t, "1", res.Header.Get("Retry-After"))
	require.Contains(t, body(t, res), `"error":"temporarily_unavailable"`)
}

func TestPanicsBecome500AndTellNothing(t *testing.T) {
	t.Parallel()
	var nobody *Options
	tests := map[string]struct {
		panics func(*gin.Context)
		logged string
	}{
		"a run-time error":           {func(*gin.Context) { _ = nobody.Service }, "nil pointer dereference"},
		"a value of unknown content": {func(*gin.Context) { panic("s3cret") }, "value of type string"},
		"an error": {
			func(*gin.Context) { panic(errors.New("s3cret")) }, "value of type *errors.errorString",
		},
		"after Fail decided, before it did": {
			func(c *gin.Context) { c.Status(http.StatusTeapot); panic(1) }, "value of type int",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			h := newTestHandler(t, map[string]gin.HandlerFunc{"query": test.panics}, func(o *Options) {
				o.Logger = slog.New(slog.NewJSONHandler(&log, nil))
				o.ErrorPage = page
			})
			res := send(h, httptest.NewRequest(http.MethodGet, "/query", nil))
			require.Equal(t, http.StatusInternalServerError, res.StatusCode)
			require.JSONEq(t,
				`{"error":"server_error","error_description":"the server met an unexpected condition"}`, body(t, res))
			require.Contains(t, log.String(), test.logged)
			require.Contains(t, log.String(), `"reference":"`+res.Header.Get("X-Request-Id"))
			require.Contains(t, log.String(), "handler_test.go", "the stack")
			require.NotContains(t, log.String(), "s3cret")
		})
	}
}

func TestAPanicInTheErrorPageStillAnswers(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t,
		map[string]gin.HandlerFunc{"flow": failWith(oauth.Errorf(oauth.AccessDenied, "no"))}, func(o *Options) {
			o.ErrorPage = func(http.ResponseWriter, *http.Request, Problem) { panic("template") }
		})
	r := httptest.NewRequest(http.MethodGet, "/flows/a", nil)
	r.Header.Set("Accept", browser)
	res := send(h, r)
	require.Equal(t, http.StatusInternalServerError, res.StatusCode)
	require.Contains(t, body(t, res), "server_error")
}

func TestAPanicAfterTheAnswerBeganCutsTheConnection(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newTestHandler(t, map[string]gin.HandlerFunc{
		"query": func(c *gin.Context) {
			c.Header("Content-Length", "100")
			_, _ = c.Writer.WriteString("half of it")
			c.Writer.Flush()
			panic("too late")
		},
		"flow": func(*gin.Context) { panic(http.ErrAbortHandler) },
	}, nil))

	defer server.Close()
	res, err := http.Get(server.URL + "/query")
	require.NoError(t, err)
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, res.Body.Close())
	_, err = http.Get(server.URL + "/flows/a")
	require.ErrorIs(t, err, io.EOF)
}

func TestTheAccessLineHasTheRouteAndNeverThePath(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newTestHandler(t, nil, func(o *Options) {
		o.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	send(h, httptest.NewRequest(http.MethodGet, "/flows/flw_secret?code=s3cret", nil))
	var line map[string]any
	require.NoError(t, json.Unmarshal(log.Bytes(), &line))
	require.Equal(t, "DEBUG", line["level"])
	require.Equal(t, "/flows/{flow}", line["route"])
	require.Equal(t, float64(204), line["status"])
	require.NotContains(t, log.String(), "secret")
	require.NotContains(t, log.String(), "s3cret")
}

// RFC 9110 15.5.14.
func TestBodiesAreBoundedWhetherDeclaredOrNot(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t, map[string]gin.HandlerFunc{"form": func(c *gin.Context) {
		if _, err := Form(c); err != nil {
			Fail(c, err)
		}
	}}, nil)

	server := httptest.NewServer(h)
	defer server.Close()

	for name, reader := range map[string]io.Reader{
		"declared": strings.NewReader("a=" + strings.Repeat("x", 1<<20)),
		"chunked":  io.MultiReader(strings.NewReader("a=" + strings.Repeat("x", 1<<20))),
	} {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL+"/form", reader)
		require.NoError(t, err)
		r.Header.Set("Content-Type", formType)
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err, name)
		require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode, name)
		require.Contains(t, body(t, res), `"error":"invalid_request"`, name)
		require.NoError(t, res.Body.Close())
	}
}
