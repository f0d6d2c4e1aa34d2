package servicekit

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/changes"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Service is a service as built by its New and run by Serve. It doesn't listen by itself.
type Service struct {
	// Handler serves the service's routes.
	Handler http.Handler
	// Run does background work until ctx ends. An error before that stops the process. It is
	// nil if there is nothing to do.
	Run func(ctx context.Context) error
	// Ready returns why the service can't answer now. If Ready is nil or returns nil, the
	// service can.
	Ready func(ctx context.Context) error
	// FromMemory says that the service answers from memory, so that only its own Ready decides:
	// it must stay in service when the database or the key backend is down. It applies to a
	// service that runs on its own.
	FromMemory bool
}

// Deps are the dependencies of a service. DB, Logger, Now and Random are required, and Signing
// and KeyMaker if the service signs.
type Deps struct {
	DB *database.DB
	// Changes reports changes that other processes make in DB. If it is nil, none are reported,
	// and what is cached expires by time. The creator of the watcher must run it.
	Changes  *changes.Watcher
	Signing  signing.Backend
	KeyMaker signing.Maker
	Logger   *slog.Logger
	// Now returns the time in UTC, truncated to microseconds (the database's precision).
	Now func() time.Time
	// Random is a cryptographically secure source.
	Random         io.Reader
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Resolver and RootCAs are used by the outbound client to look up names and to verify
	// servers; nil: the system's.
	Resolver *net.Resolver
	RootCAs  *x509.CertPool
}

// Complete returns the dependencies with no-op telemetry if none is given, or an error that
// names every required one that is missing.
func (d Deps) Complete() (Deps, error) {
	var missing []string
	for name, absent := range map[string]bool{
		"DB":     d.DB == nil,
		"Logger": d.Logger == nil,
		"Now":    d.Now == nil,
		"Random": d.Random == nil,
	} {
		if absent {
			missing = append(missing, name)
		}
	}

	if len(missing) > 0 {
		slices.Sort(missing)
		return d, fmt.Errorf("dependencies missing: %s", strings.Join(missing, ", "))
	}

	if d.TracerProvider == nil {
		d.TracerProvider = tracenoop.NewTracerProvider()
	}

	if d.MeterProvider == nil {
		d.MeterProvider = metricnoop.NewMeterProvider()
	}

	return d, nil
}

// Clock returns the time as every process uses it: UTC, in microseconds.
func Clock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
