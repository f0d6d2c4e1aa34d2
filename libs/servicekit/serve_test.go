package servicekit

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// patience bounds what should take milliseconds.
const patience = testkit.Patience

// running is a Serve in the background.
type running struct {
	t             *testing.T
	public, admin string
	stop          context.CancelFunc
	ended         chan error
}

func testServer(t *testing.T, env ...string) config.Server {
	t.Helper()
	var cfg struct{ Server config.Server }
	require.NoError(t,
		config.Load(&cfg,
			config.LoadOptions{Environ: append([]string{"PLATFORM_LISTEN=127.0.0.1:0", "PLATFORM_ADMIN_LISTEN=127.0.0.1:0"},
				env...)}))
	return cfg.Server
}

func start(t *testing.T, o ServeOptions) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{t: t, stop: stop, ended: make(chan error, 1)}
	listening := make(chan struct{})
	o.Logger = testkit.Logger(t)
	o.OnListening = func(public, admin net.Addr) {
		r.public, r.admin = "http://"+public.String(), "http://"+admin.String()
		close(listening)
	}
	go func() { r.ended <- Serve(ctx, o) }()
	t.Cleanup(stop)

	select {
	case <-listening:
	case err := <-r.ended:
		require.NoError(t, err)
	case <-time.After(patience):
		require.Fail(t, "not listening")
	}

	return r
}

func (r *running) get(url string) (status int, body string) {
	r.t.Helper()
	resp, err := http.Get(url)
	require.NoError(r.t, err)
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return resp.StatusCode, string(read)
}

func (r *running) wait() error {
	r.t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		require.Fail(r.t, "Serve did not end")
		return nil
	}
}

// slow is a handler that says when it was entered and answers when released, or
// when its request is cut off.
type slow struct{ entered, release chan struct{} }

func newSlow() slow { return slow{entered: make(chan struct{}, 1), release: make(chan struct{})} }

func (s slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.entered <- struct{}{}
	select {
	case <-s.release:
		_, _ = io.WriteString(w, "finished")
	case <-r.Context().Done():
	}
}

func TestDrainingFinishesARequestInFlight(t *testing.T) {
	handler := newSlow()
	taskEnded := make(chan error, 1)
	r := start(t, ServeOptions{Server: testServer(t), Handler: handler, Services: map[string]*Service{"token": {
		Run: func(ctx context.Context) error {
			<-ctx.Done()
			taskEnded <- context.Cause(ctx)
			return ctx.Err()
		},
	}}})

	type answer struct {
		body string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		resp, err := http.Get(r.public)
		if err != nil {
			answered <- answer{err: err}
			return
		}

		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		answered <- answer{string(body), err}
	}()

	<-handler.entered
	r.stop()
	require.Eventually(t, func() bool {
		status, body := r.get(r.admin + "/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "draining")
	}, patience, time.Millisecond, "readiness turns off while the admin listener stays")
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.public, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, patience, time.Millisecond, "nothing new is accepted")

	require.Empty(t, taskEnded, "tasks go on for the requests in flight")
	require.Empty(t, r.ended)
	close(handler.release)
	require.Equal(t, answer{body: "finished"}, <-answered)
	require.NoError(t, r.wait())
	require.ErrorIs(t, <-taskEnded, errStopped)
}

func TestDrainingGoesOnAcceptingForTheDelay(t *testing.T) {
	r := start(t, ServeOptions{Server: testServer(t, "PLATFORM_HTTP_DRAIN_DELAY=1s"), Handler: http.NotFoundHandler()})
	r.stop()
	require.Eventually(t, func() bool {
		status, _ := r.get(r.admin + "/readyz")
		return status == http.StatusServiceUnavailable
	}, patience, time.Millisecond)
	status, _ := r.get(r.public)
	require.Equal(t, http.StatusNotFound, status)
	require.NoError(t, r.wait())
}

func TestDrainingIsBounded(t *testing.T) {
	handler := newSlow()
	r := start(t, ServeOptions{Server: testServer(t, "PLATFORM_HTTP_DRAIN_TIMEOUT=20ms"), Handler: handler})
	cut := make(chan error, 1)
	go func() {
		resp, err := http.Get(r.public)
		if err == nil {
			_ = resp.Body.Close()
		}
		cut <- err
	}()

	<-handler.entered
	r.stop()
	require.NoError(t, r.wait())
	require.Error(t, <-cut)
}

func TestATaskThatFailsStopsTheProcess(t *testing.T) {
	fail, other := make(chan struct{}), make(chan struct{})
	r := start(t, ServeOptions{Server: testServer(t), Handler: http.NotFoundHandler(), Services: map[string]*Service{
		"keys":  {Run: func(context.Context) error { <-fail; return errors.New("broken") }},
		"token": {Run: func(ctx context.Context) error { <-ctx.Done(); close(other); return nil }},
		"idle":  {Run: func(context.Context) error { return nil }},
	}})

	status, _ := r.get(r.admin + "/livez")
	require.Equal(t, http.StatusOK, status, "a task that has finished isn't a failure")
	close(fail)
	require.EqualError(t, r.wait(), "keys: broken")
	<-other
}

func TestReadinessNamesEachDependency(t *testing.T) {
	reason := make(chan error, 1)
	reason <- errors.New("no active key")
	r := start(t, ServeOptions{
		Server:  testServer(t),
		Handler: http.NotFoundHandler(),
		Checks:  map[string]Check{"database": func(context.Context) error { return nil }},
		Services: map[string]*Service{"token": {Ready: func(context.Context) error {
			select {
			case err := <-reason:
				return err
			default:
				return nil
			}
		}}, "device": {}},
	})

	status, body := r.get(r.admin + "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.JSONEq(t, `{"status":"not ready","checks":{"database":"ok","token":"no active key"}}`, body)
	status, body = r.get(r.admin + "/readyz")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"status":"ready","checks":{"database":"ok","token":"ok"}}`, body)
	status, _ = r.get(r.public + "/readyz")
	require.Equal(t, http.StatusNotFound, status, "health is for the admin listener only")
	status, _ = r.get(r.admin + "/metrics")
	require.Equal(t, http.StatusNotFound, status, "no metrics were given")
}

func TestReadinessSurvivesAStuckOrPanickingCheck(t *testing.T) {
	a := &admin{checks: map[string]Check{
		"stuck":  func(context.Context) error { select {} },
		"broken": func(context.Context) error { panic("nil map") },
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	checks, ok := a.run(ctx)
	require.False(t, ok)
	require.Equal(t, "no answer in time", checks["stuck"])
	require.Contains(t, checks["broken"], "nil map")
}

func TestAnOccupiedAddressIsNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	server := testServer(t)
	server.AdminListen = taken.Addr().String()
	err = Serve(t.Context(), ServeOptions{Server: server, Logger: testkit.Logger(t)})
	require.ErrorContains(t, err, "PLATFORM_ADMIN_LISTEN: ")
	server.Listen = taken.Addr().String()
	err = Serve(t.Context(), ServeOptions{Server: server, Logger: testkit.Logger(t)})
	require.ErrorContains(t, err, "PLATFORM_LISTEN: ")
}

func TestServersHaveEveryLimit(t *testing.T) {
	s := ServeOptions{Server: testServer(t), Logger: testkit.Logger(t)}.server(t.Context(), nil)
	require.Equal(t, 64<<10, s.MaxHeaderBytes)
	for _, limit := range []time.Duration{s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout} {
		require.Positive(t, limit)
	}
}

func TestProfilesAreServedWhereTheyAreAskedForAndNeverInPublic(t *testing.T) {
	without := start(t, ServeOptions{Server: testServer(t), Handler: http.NotFoundHandler()})
	with := start(t, ServeOptions{Server: testServer(t, "PLATFORM_ADMIN_PPROF=true"), Handler: http.NotFoundHandler()})
	for _, path := range []string{
		"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine",
		"/debug/pprof/trace?seconds=0.01", "/debug/pprof/symbol",
	} {
		status, _ := without.get(without.admin + path)
		require.Equal(t, http.StatusNotFound, status, path)
		status, _ = with.get(with.public + path)
		require.Equal(t, http.StatusNotFound, status, path)
		status, body := with.get(with.admin + path)
		require.Equal(t, http.StatusOK, status, path)
		require.NotEmpty(t, body, path)
	}

	status, _ := with.get(with.admin + "/debug/pprof/cmdline")
	require.Equal(t, http.StatusNotFound, status)
}
