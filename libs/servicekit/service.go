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

// Service is a built service: what its New returns and what Serve runs. It
// listens nowhere by itself.
type Service struct {
	// Handler answers the service's routes.
	Handler http.Handler
	// Run works in the background until ctx ends; an error before that stops the
	// process. Nil when there is nothing to do.
	Run func(ctx context.Context) error
	// Ready says why the service cannot answer now; nil or a nil error: it can.
	Ready func(ctx context.Context) error
	// FromMemory says that the service answers from what it has in memory, so that
	// its own Ready alone decides: it must not be taken out of service because the
	// database or the backend of the keys is away. It is for a service on its own.
	FromMemory bool
}

// Deps is what a service is built from. DB, Logger, Now and Random are
// required, Signing and KeyMaker where the service signs.
type Deps struct {
	DB *database.DB
	// Changes tells what others changed in DB; nil: nobody does, and what is kept in
	// memory goes by its own time. Whoever makes the watcher runs it.
	Changes  *changes.Watcher
	Signing  signing.Backend
	KeyMaker signing.Maker
	Logger   *slog.Logger
	// Now is the time in UTC, truncated to microseconds (what the database keeps).
	Now func() time.Time
	// Random is a cryptographically secure source.
	Random         io.Reader
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Resolver and RootCAs are what the outbound client looks names up with and
	// whom it believes; nil: the system's.
	Resolver *net.Resolver
	RootCAs  *x509.CertPool
}

// Complete returns the dependencies with no-op telemetry where none is given,
// or an error that names every required one that is missing.
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

// Clock is the wall clock as every process uses it: UTC, in microseconds.
func Clock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
