package servicekit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/changes"
	"github.com/platform-oauth/platform-oauth/libs/database/pqguard"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
)

const (
	// databasePatience is how long a start waits for a database that is down.
	databasePatience = 30 * time.Second
	databaseRetry    = 500 * time.Millisecond
)

// OpenDatabase opens PostgreSQL with the logger and telemetry of deps. It waits up to half a
// minute for a server that is down. It refuses SQLite.
func OpenDatabase(ctx context.Context, cfg config.Database, deps Deps) (*database.DB, error) {
	options, err := databaseOptions(cfg, deps)
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()

	for {
		db, err := database.Open(ctx, options)
		if !oauth.IsUnavailable(err) {
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

// startDatabase is OpenDatabase for a process that serves requests. If the server is down, the
// process starts all the same, isn't ready, and answers 503 until the server is up.
func startDatabase(ctx context.Context, cfg config.Database, deps Deps) (*database.DB, error) {
	options, err := databaseOptions(cfg, deps)
	if err != nil {
		return nil, err
	}

	db, err := database.Open(ctx, options)
	if !oauth.IsUnavailable(err) {
		return db, err
	}

	deps.Logger.WarnContext(ctx, "the database is unavailable; not ready until it is back", "error", err)
	options.Lazy = true
	return database.Open(ctx, options)
}

func databaseOptions(cfg config.Database, deps Deps) (database.Options, error) {
	if cfg.SQLite() {
		return database.Options{}, errors.New("PLATFORM_DATABASE_URL: a service on its own needs PostgreSQL; SQLite is for `platform up`, which runs all services in one process")
	}

	return database.Options{
		URL:              cfg.URL,
		MaxOpen:          cfg.MaxOpen,
		MaxIdle:          cfg.MaxIdle,
		ConnMaxLifetime:  cfg.ConnMaxLifetime,
		StatementTimeout: cfg.StatementTimeout,
		LockTimeout:      cfg.LockTimeout,
		Prepare:          pqguard.Prepare(cfg.Prepare),
		Logger:           deps.Logger,
		TracerProvider:   deps.TracerProvider,
		MeterProvider:    deps.MeterProvider,
	}, nil
}

// WatchChanges sets deps.Changes, which listens through the direct URL, and returns the task
// that runs it.
func WatchChanges(cfg config.Database, deps *Deps) (*Service, error) {
	options := changes.Options{
		DB:            deps.DB,
		Now:           deps.Now,
		Logger:        deps.Logger,
		MeterProvider: deps.MeterProvider,
	}
	if !cfg.SQLite() {
		options.ListenURL = cfg.DirectURL
	}

	watcher, err := changes.New(options)
	if err != nil {
		return nil, err
	}

	deps.Changes = watcher
	return &Service{Run: watcher.Run}, nil
}

// DatabaseCheck returns a check that passes only if the database responds and has this build's
// schema or a later one.
func DatabaseCheck(db *database.DB) Check {
	return func(ctx context.Context) error {
		if err := db.Ping(ctx); err != nil {
			return err
		}
		return db.CheckSchema(ctx)
	}
}

// Keys are the opened private keys. Close must be called last, after everything that uses them
// has stopped.
type Keys struct {
	Backend signing.Backend
	Maker   signing.Maker
	// Service is the background task and the readiness of the backend, without a Handler. It is
	// nil if the backend needs neither. Among the services passed to Serve it has the backend's
	// name.
	Service *Service
	Close   func() error
}

// OpenSigning opens the keys of the configured backend with the logger and telemetry of deps.
// Local keys are files in the folder keys of the data folder.
func OpenSigning(ctx context.Context, cfg config.Signing, deps Deps) (*Keys, error) {
	switch cfg.Backend {
	case config.SigningLocal:
		store, err := localkeys.Open(filepath.Join(cfg.DataDir, "keys"))
		if err != nil {
			return nil, fmt.Errorf("PLATFORM_DATA_DIR: %w", err)
		}
		return &Keys{Backend: store, Maker: store, Close: store.Close}, nil
	case config.SigningVault:
		return openVault(ctx, cfg.Vault, deps)
	default:
		return nil, fmt.Errorf("PLATFORM_SIGNING_BACKEND: unknown backend %q", cfg.Backend)
	}
}
