package servicekit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
)

const (
	// databasePatience is how long a start waits for a database that is away.
	databasePatience = 30 * time.Second
	databaseRetry    = 500 * time.Millisecond
)

// OpenDatabase opens PostgreSQL with the logger and telemetry of deps, waiting
// up to half a minute for a server that is away. It refuses SQLite.
func OpenDatabase(ctx context.Context, cfg Database, deps Deps) (*database.DB, error) {
	if cfg.SQLite() {
		return nil, errors.New("PLATFORM_DATABASE_URL: a service on its own needs PostgreSQL; SQLite is for `platform up`, which runs all services in one process")
	}
	options := database.Options{
		URL: cfg.URL, MaxOpen: cfg.MaxOpen, MaxIdle: cfg.MaxIdle, ConnMaxLifetime: cfg.ConnMaxLifetime,
		Logger: deps.Logger, TracerProvider: deps.TracerProvider, MeterProvider: deps.MeterProvider,
	}
	ctx, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	for {
		db, err := database.Open(ctx, options)
		var fault interface{ Unavailable() bool }
		if err == nil || !errors.As(err, &fault) || !fault.Unavailable() {
			return db, err
		}
		deps.Logger.WarnContext(ctx, "waiting for the database", "error", err)
		timer := time.NewTimer(databaseRetry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		case <-timer.C:
		}
	}
}

// DatabaseCheck makes a process ready only on a database that answers and has
// this build's schema or a later one.
func DatabaseCheck(db *database.DB) Check {
	return func(ctx context.Context) error {
		if err := db.Ping(ctx); err != nil {
			return err
		}
		return db.CheckSchema(ctx)
	}
}

// Keys are the opened private keys. Close is for the end, after what uses them.
type Keys struct {
	Backend signing.Backend
	Maker   signing.Maker
	// Service is the background task and the readiness of the backend, which has no
	// Handler; nil when it needs neither. Among the services of Serve its name is
	// that of the backend.
	Service *Service
	Close   func() error
}

// OpenSigning opens the keys of the configured backend with the logger and
// telemetry of deps. Local ones are files in the folder keys of the data folder.
func OpenSigning(cfg Signing, deps Deps) (*Keys, error) {
	switch cfg.Backend {
	case SigningLocal:
		store, err := localkeys.Open(filepath.Join(cfg.DataDir, "keys"))
		if err != nil {
			return nil, fmt.Errorf("PLATFORM_DATA_DIR: %w", err)
		}
		return &Keys{Backend: store, Maker: store, Close: store.Close}, nil
	case SigningVault:
		return openVault(cfg.Vault, deps)
	default:
		return nil, fmt.Errorf("PLATFORM_SIGNING_BACKEND: no backend has the name %q", cfg.Backend)
	}
}
