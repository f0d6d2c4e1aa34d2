package servicekit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/platform-oauth/platform-oauth/libs/config"
)

const (
	// maxHeader bounds a request's first line and headers, in bytes.
	maxHeader = 64 << 10
	// tasksPatience is how long background tasks may take to stop.
	tasksPatience = 10 * time.Second
	// profilePatience is how long a profile may take.
	profilePatience = 5 * time.Minute
)

// ServeOptions configures Serve. Logger, Handler and a loaded Server are required.
type ServeOptions struct {
	Server config.Server
	// Handler serves the public listener. For several services it is a mux of their handlers.
	Handler http.Handler
	// Services are the services by name, for their Run and Ready. Their Handlers are not used.
	Services map[string]*Service
	// Checks are further readiness dependencies by name, such as the database.
	Checks map[string]Check
	Logger *slog.Logger
	// Metrics serves /metrics; nil: there is no such path.
	Metrics http.Handler
	// OnListening is called once both listeners accept connections. It may be nil.
	OnListening func(public, admin net.Addr)
}

// errStopped is the cause with which the tasks' context ends on a normal stop.
var errStopped = errors.New("the process is stopping")

// Serve listens and runs the services' tasks until ctx ends, and then drains: it stops being
// ready, finishes requests in flight, stops the tasks, and returns nil. If a task or listener
// fails, it drains in the same way and returns the error.
func Serve(ctx context.Context, o ServeOptions) error {
	public, adminListener, err := listen(ctx, o.Server)
	if err != nil {
		return err
	}

	lasting := context.WithoutCancel(ctx)
	requests, cutOff := context.WithCancel(lasting)
	defer cutOff()
	base, stop := context.WithCancelCause(lasting)
	defer stop(nil)
	group, running := errgroup.WithContext(base)

	a := &admin{checks: checksOf(o.Services, o.Checks), pprof: o.Server.AdminPprof}
	server := o.server(requests, o.Handler)
	adminServer := o.server(requests, a.handler(o.Metrics))
	if a.pprof {
		adminServer.WriteTimeout = max(adminServer.WriteTimeout, profilePatience)
	}

	group.Go(func() error { return serving("public listener", server.Serve(public)) })
	group.Go(func() error { return serving("admin listener", adminServer.Serve(adminListener)) })

	for name, service := range o.Services {
		if service.Run != nil {
			group.Go(func() error { return task(running, name, service.Run) })
		}
	}

	o.Logger.InfoContext(ctx, "listening", "public", public.Addr().String(), "admin", adminListener.Addr().String())

	if o.OnListening != nil {
		o.OnListening(public.Addr(), adminListener.Addr())
	}

	select {
	case <-ctx.Done():
		o.Logger.InfoContext(ctx, "draining")
	case <-running.Done():
		o.Logger.ErrorContext(ctx, "draining after a failure", "error", context.Cause(running))
	}

	a.draining.Store(true)
	o.drain(running, server)
	cutOff()
	stop(errStopped)
	_ = adminServer.Close()

	return wait(group)
}

// listen opens both listeners or neither.
func listen(ctx context.Context, s config.Server) (public, adminListener net.Listener, err error) {
	var lc net.ListenConfig
	public, err = lc.Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("PLATFORM_LISTEN: %w", err)
	}

	adminListener, err = lc.Listen(ctx, "tcp", s.AdminListen)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("PLATFORM_ADMIN_LISTEN: %w", err), public.Close())
	}

	return public, adminListener, nil
}

// server sets every time limit, because any missing one would allow a connection to be held for
// ever.
func (o ServeOptions) server(requests context.Context, handler http.Handler) *http.Server {
	h := o.Server.HTTP
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: h.HeaderTimeout,
		ReadTimeout:       h.ReadTimeout,
		WriteTimeout:      h.WriteTimeout,
		IdleTimeout:       h.IdleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug), // strangers can cause these
	}
}

// drain waits for the requests in flight, for a limited time.
func (o ServeOptions) drain(running context.Context, server *http.Server) {
	if delay := o.Server.HTTP.DrainDelay; delay > 0 && running.Err() == nil {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-running.Done():
		}
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(running), o.Server.HTTP.DrainTimeout)
	defer cancel()

	if err := server.Shutdown(ctx); err != nil {
		o.Logger.WarnContext(ctx, "requests were cut off because they didn't finish in time", "limit", o.Server.HTTP.DrainTimeout)
		_ = server.Close()
	}
}

func serving(name string, err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// task runs a service's background work. Ending because ctx ended isn't a failure.
func task(ctx context.Context, name string, run func(context.Context) error) error {
	err := run(ctx)
	if err == nil || (ctx.Err() != nil && errors.Is(err, context.Canceled)) || errors.Is(err, errStopped) {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

func wait(group *errgroup.Group) error {
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()
	timer := time.NewTimer(tasksPatience)
	defer timer.Stop()

	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("background tasks didn't stop within %s", tasksPatience)
	}
}
