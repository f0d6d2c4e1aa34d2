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
)

const (
	// maxHeader bounds a request's line and headers, in bytes.
	maxHeader = 64 << 10
	// tasksPatience is how long background tasks may take to stop.
	tasksPatience = 10 * time.Second
	// profilePatience is how long taking a profile may last.
	profilePatience = 5 * time.Minute
)

// ServeOptions is what Serve runs. Logger, Handler and a loaded Server are
// required.
type ServeOptions struct {
	Server Server
	// Handler answers the public listener; for several services a mux of theirs.
	Handler http.Handler
	// Services by name, for their Run and Ready; their Handlers are not used.
	Services map[string]*Service
	// Checks are further dependencies of readiness by name, such as the database.
	Checks map[string]Check
	Logger *slog.Logger
	// Metrics answers /metrics; nil: there is none.
	Metrics http.Handler
	// OnListening is called once both listeners accept; nil: nothing is.
	OnListening func(public, admin net.Addr)
}

// errStopped is why the tasks' context ends in the good case.
var errStopped = errors.New("the process is stopping")

// Serve listens and runs the services' tasks until ctx ends, then drains:
// readiness turns off, requests in flight finish, tasks stop, and the answer is
// nil. A task or listener that fails drains in the same way, and Serve returns
// its error.
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

// listen opens both listeners or none.
func listen(ctx context.Context, s Server) (public, adminListener net.Listener, err error) {
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

// server sets every time limit: one that is left out is a way to hold a
// connection for ever.
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
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug), // strangers cause these
	}
}

// drain waits for the requests in flight, but not for ever.
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
		o.Logger.WarnContext(ctx, "requests cut off: they did not finish in time", "limit", o.Server.HTTP.DrainTimeout)
		_ = server.Close()
	}
}

func serving(name string, err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// task runs a service's background work; that it ends with its context is no
// failure.
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
		return fmt.Errorf("background tasks did not stop within %s", tasksPatience)
	}
}
