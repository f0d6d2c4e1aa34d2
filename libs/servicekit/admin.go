package servicekit

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"
)

// checkTimeout bounds one readiness check. Otherwise the probe would give up first, and it
// would stay unknown which dependency was at fault.
const checkTimeout = 2 * time.Second

// Check returns why a dependency can't be used now, or nil.
type Check func(ctx context.Context) error

// admin serves the admin listener.
type admin struct {
	checks   map[string]Check
	pprof    bool
	draining atomic.Bool
}

func (a *admin) handler(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez",
		func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, readiness{Status: "alive"}) })
	mux.HandleFunc("GET /readyz", a.readyz)

	if metrics != nil {
		mux.Handle("GET /metrics", metrics)
	}

	if a.pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound) // the arguments must not be shown
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}

	return mux
}

// readiness is the body of /readyz: "ready", "not ready" or "draining", and for each dependency
// "ok" or the reason.
type readiness struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks,omitempty"`
}

func (a *admin) readyz(w http.ResponseWriter, r *http.Request) {
	if a.draining.Load() {
		writeJSON(w, http.StatusServiceUnavailable, readiness{Status: "draining"})
		return
	}

	checks, ok := a.run(r.Context())
	if !ok {
		writeJSON(w, http.StatusServiceUnavailable, readiness{Status: "not ready", Checks: checks})
		return
	}

	writeJSON(w, http.StatusOK, readiness{Status: "ready", Checks: checks})
}

// run checks all dependencies concurrently.
func (a *admin) run(ctx context.Context) (answers map[string]string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	type answer struct {
		name string
		err  error
	}
	answered := make(chan answer, len(a.checks))
	answers, ok = make(map[string]string, len(a.checks)), true
	for name, check := range a.checks {
		answers[name] = "no answer in time"
		go func() { answered <- answer{name, guarded(ctx, check)} }()
	}

	for range a.checks {
		select {
		case got := <-answered:
			answers[got.name] = "ok"
			if got.err != nil {
				answers[got.name], ok = got.err.Error(), false
			}
		case <-ctx.Done():
			return answers, false
		}
	}

	return answers, ok
}

// guarded turns a panic of a check into its error.
func guarded(ctx context.Context, check Check) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("the check panicked: %v", caught)
		}
	}()
	return check(ctx)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // an error means that the prober has gone away
}

// checksOf combines the services' readiness with the further dependencies.
func checksOf(services map[string]*Service, further map[string]Check) map[string]Check {
	checks := maps.Clone(further)
	if checks == nil {
		checks = map[string]Check{}
	}

	for name, service := range services {
		if service.Ready != nil {
			checks[name] = service.Ready
		}
	}

	return checks
}
