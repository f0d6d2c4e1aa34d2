package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
)

// operatorConfig is the configuration of commands that work on the database.
type operatorConfig struct {
	Server   config.Server
	Database config.Database
	Signing  config.Signing
	Sessions config.Sessions
}

// load reads a configuration with the embedded defaults.
func (a *app) load(cfg any) error { return a.loadWith(cfg, nil) }

// loadWith is load with values from flags, by variable, which override the environment.
func (a *app) loadWith(cfg any, flags map[string]string) error {
	return config.Load(cfg,
		config.LoadOptions{Environ: a.environ, Defaults: config.EmbeddedDefaults(), Overrides: flags})
}

// openDatabase opens PostgreSQL, or SQLite in the data folder, which it creates.
func openDatabase(
	ctx context.Context, cfg config.Database, dataDir string, deps servicekit.Deps,
) (*database.DB, error) {
	if !cfg.SQLite() {
		return servicekit.OpenDatabase(ctx, cfg, deps)
	}

	path := cfg.SQLitePath(dataDir)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create the folder of the database: %w", err)
	}

	return sqlite.Open(ctx, path, database.Options{
		Logger: deps.Logger, TracerProvider: deps.TracerProvider, MeterProvider: deps.MeterProvider,
	})
}

// deps returns the dependencies of a command that isn't a server.
func (a *app) deps() servicekit.Deps {
	logger := servicekit.NewLogger(a.streams.Err, config.Log{Level: "warn", Format: "text"})
	return servicekit.Deps{Logger: logger, Now: servicekit.Clock, Random: rand.Reader}
}
