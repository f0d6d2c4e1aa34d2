package httpkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// storeError looks like an error of a store.
type storeError struct{ away bool }

func (e storeError) Error() string     { return "pq: password of 10.0.0.7 refused" }
func (e storeError) Unavailable() bool { return e.away }

// blocked looks like the error of a limit that is reached, or of an open circuit breaker.
type (
	blocked time.Duration
	broken  struct{ blocked }
)

func (blocked) Error() string               { return "blocked: key 7f" }
func (b blocked) RetryAfter() time.Duration { return time.Duration(b) }
func (broken) Unavailable() bool            { return true }

func TestFailGivesEachErrorItsAnswer(t *testing.T) {
	t.Parallel()
	const unexpected = `{"error":"server_error","error_description":"the server met an unexpected condition"}`
	const away = `{"error":"temporarily_unavailable","error_description":"the service is temporarily unavailable, try again shortly"}`
	const tooMany = `{"error":"too_many_requests","error_description":"too many failed attempts; wait before the next one"}`
	tests := map[string]struct {
		err    error
		status int
		body   string
		retry  string
		level  string
	}{
		"missing in the query": {
			&MissingError{In: "query", Names: []string{"client_id", "scope"}}, 422,
			missingBody("query", "client_id", "scope"), "", "DEBUG",
		},
		"missing in a header": {
			&MissingError{In: "header", Names: []string{"authorization"}}, 422,
			missingBody("header", "authorization"), "", "DEBUG",
		},
		"missing, wrapped": {
			fmt.Errorf("token: %w", &MissingError{In: "body", Names: []string{"grant_type"}}), 422,
			missingBody("body", "grant_type"), "", "DEBUG",
		},
		"an OAuth error": {
			oauth.Errorf(oauth.InvalidGrant, "the code is unknown"), 400,
			`{"error":"invalid_grant","error_description":"the code is unknown"}`, "", "DEBUG",
		},
		"one with its status": {
			&oauth.Error{Code: oauth.InvalidRequest, StatusOverride: 429}, 429,
			`{"error":"invalid_request"}`, "", "DEBUG",
		},
		"a failed client": {
			oauth.Errorf(oauth.InvalidClient, "no"), 401,
			`{"error":"invalid_client","error_description":"no"}`, "", "DEBUG",
		},
		"one that hides a cause": {
			&oauth.Error{Code: oauth.InvalidGrant, Description: "no", Cause: errors.New("internal")}, 400,
			`{"error":"invalid_grant","error_description":"no"}`, "", "DEBUG",
		},
		"a forbidden character": {
			oauth.Errorf(oauth.InvalidRequest, "%s", "a \"b\" \\ é\n"), 400,
			`{"error":"invalid_request","error_description":"a 'b' / ??"}`, "", "DEBUG",
		},
		"storage that is away":   {fmt.Errorf("grants.redeem: %w", storeError{true}), 503, away, "1", "WARN"},
		"storage that failed":    {fmt.Errorf("grants.redeem: %w", storeError{false}), 500, unexpected, "", "ERROR"},
		"a passed deadline":      {fmt.Errorf("sign: %w", context.DeadlineExceeded), 503, away, "1", "WARN"},
		"unavailable by name":    {oauth.Unavailable(errors.New("vault: 503")), 503, away, "1", "WARN"},
		"a limit reached":        {fmt.Errorf("sign in: %w", blocked(90*time.Second)), 429, tooMany, "90", "DEBUG"},
		"one for a moment":       {blocked(time.Millisecond), 429, tooMany, "1", "DEBUG"},
		"one for a bit over 1 s": {blocked(time.Second + 1), 429, tooMany, "2", "DEBUG"},
		"one that is just over":  {blocked(-time.Second), 429, tooMany, "1", "DEBUG"},
		"a limit said by name": {
			&oauth.Error{Code: oauth.TooManyRequests, Cause: blocked(time.Minute)}, 429,
			`{"error":"too_many_requests"}`, "60", "DEBUG",
		},
		"another error of a limit": {
			&oauth.Error{Code: oauth.InvalidGrant, Cause: blocked(time.Minute)}, 400,
			`{"error":"invalid_grant"}`, "", "DEBUG",
		},
		"an open breaker": {broken{blocked(7 * time.Second)}, 503, away, "7", "WARN"},
		"a body that is too large": {
			&http.MaxBytesError{Limit: 32768}, 413,
			`{"error":"invalid_request","error_description":"the request body exceeds 32768 bytes"}`, "", "DEBUG",
		},
		"anything else": {errors.New("pq: relation codes does not exist"), 500, unexpected, "", "ERROR"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			h := newTestHandler(t, map[string]gin.HandlerFunc{"query": failWith(test.err)}, func(o *Options) {
				o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			res := send(h, httptest.NewRequest(http.MethodGet, "/query", nil))
			require.Equal(t, test.status, res.StatusCode)
			require.Equal(t, test.body, body(t, res))
			require.Equal(t, test.retry, res.Header.Get("Retry-After"))
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
			require.Contains(t, log.String(), `level=`+test.level+` msg="request failed"`)
			require.Contains(t, log.String(), "reference="+res.Header.Get("X-Request-Id"))
			require.Len(t, res.Header.Get("X-Request-Id"), 32)
			require.Empty(t, res.Header.Get("Vary"), "without pages nothing is negotiated")
		})
	}
}

func TestBrowsersGetThePage(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t, map[string]gin.HandlerFunc{
		"flow": failWith(&MissingError{In: "query", Names: []string{"client_id"}}),
	}, func(o *Options) { o.ErrorPage = page })
	r := httptest.NewRequest(http.MethodGet, "/flows/a", nil)
	r.Header.Set("Accept", browser)
	res := send(h, r)
	require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode)
	require.Equal(t, "<p>422 invalid_request required and missing: client_id client_id", body(t, res))
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	require.Equal(t, "Accept", res.Header.Get("Vary"))
}

func TestFailKeepsTheHeadersOfItsCaller(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t, map[string]gin.HandlerFunc{"query": func(c *gin.Context) {
		c.Header("WWW-Authenticate", `Basic realm="platform"`)
		c.Header("Retry-After", "30")
		Fail(c, oauth.Unavailable(nil))
	}}, nil)

	res := send(h, httptest.NewRequest(http.MethodGet, "/query", nil))
	require.Equal(t, `Basic realm="platform"`, res.Header.Get("WWW-Authenticate"))
	require.Equal(t, "30", res.Header.Get("Retry-After"))
}

func TestFailAfterTheAnswerOnlyLogs(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t, map[string]gin.HandlerFunc{"query": func(c *gin.Context) {
		JSON(c, http.StatusOK, "done")
		Fail(c, errors.New("too late"))
	}}, nil)
	res := send(h, httptest.NewRequest(http.MethodGet, "/query", nil))
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, `"done"`, body(t, res))
}

func TestACallerWhoLeftIsNoErrorOfOurs(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newTestHandler(t,
		map[string]gin.HandlerFunc{"query": func(c *gin.Context) {
			Fail(c,
				c.Request.Context().Err())
		}}, func(o *Options) {
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	res := send(h, httptest.NewRequest(http.MethodGet, "/query", nil).WithContext(ctx))
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Empty(t, log.String())
}

func TestFailOutsideNewHandlerUsesDefaults(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(w)
	c.Request = httptest.NewRequest(http.MethodGet, "/", nil)
	Fail(c, oauth.Errorf(oauth.AccessDenied, "no"))
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Equal(t, `{"error":"access_denied","error_description":"no"}`, w.Body.String())
	require.True(t, c.IsAborted())
}
