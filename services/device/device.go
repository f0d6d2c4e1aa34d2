package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/audit/refusals"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/clientauth/setup"
	assertionstore "github.com/platform-oauth/platform-oauth/libs/clientauth/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/device/internal/adapters/httpapi"
	"github.com/platform-oauth/platform-oauth/services/device/internal/app"
	"github.com/platform-oauth/platform-oauth/services/device/internal/domain"
)

const (
	name = "device"
	// keepCodes is how long a code is kept after it expired, so that a device that keeps
	// polling is told expired_token rather than invalid_grant (RFC 8628 3.5).
	keepCodes = 24 * time.Hour
)

// Config is the service's configuration.
type Config struct {
	Server   config.Server
	Database config.Database
	Sessions config.Sessions
	Tokens   config.Tokens
	Limits   config.Limits
	// Encryption provides the keys for sealed sign-ins and the key of the identifiers under
	// which failures are counted.
	Encryption config.Encryption
	Outbound   config.Outbound
}

// Deps holds the service's dependencies.
type Deps = servicekit.Deps

// New builds the service.
func New(cfg Config, deps Deps) (*servicekit.Service, error) {
	deps, err := deps.Complete()
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}

	if cfg.Limits.UserCode < 1 || cfg.Limits.Flows < 1 || cfg.Limits.Window <= 0 || len(cfg.Encryption.Keys) == 0 {
		return nil, errors.New("device: configuration missing: Limits and Encryption are needed")
	}

	ui, err := webui.New()
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}

	clients, err := setup.Authenticator(setup.Config{
		Service:    name,
		Server:     cfg.Server,
		Limits:     cfg.Limits,
		Encryption: cfg.Encryption,
		Outbound:   cfg.Outbound,
	}, deps)
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}

	sealer, err := sealed.New(cfg.Encryption.DeriveAll(sealed.Label), deps.Random)
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}

	usecases := newDevice(cfg, deps, clients, sealer)
	edge, err := httpapi.New(usecases, cookie.Jar{Secure: cfg.Server.Secure()}, cfg.Server.Origin(), ui)
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}

	told := refusals.New(audit.DeviceRefused,
		auditstore.New(deps.DB, name, deps.Now, deps.Random).Counting(deps.MeterProvider), deps.Logger, deps.Now)
	options := servicekit.Edge(name, cfg.Server, deps)
	options.Handlers, options.ErrorPage = edge.Handlers(), told.Page(ui.ErrorPage)
	handler, err := httpkit.NewHandler(options)
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}

	return &servicekit.Service{
		Handler: handler,
		Run:     func(ctx context.Context) error { return sweep(ctx, deps) },
		Ready:   deps.DB.CheckSchema,
	}, nil
}

func newDevice(cfg Config, deps Deps, clients *clientauth.Authenticator, sealer *sealed.Sealer) *app.Device {
	rows, guesses, secret := grantstore.NewForDevice(deps.DB).Sealing(
		sealer), limitstore.New(deps.DB), cfg.Encryption.Derive("limits")
	return &app.Device{Config: app.Config{
		Applications: appcache.New(directorystore.NewApplicationsWithSecrets(deps.DB), appcache.Options{
			Now:           deps.Now,
			Changes:       deps.Changes,
			Component:     name,
			MeterProvider: deps.MeterProvider,
		}),
		Clients:  clients,
		People:   directorystore.NewPeople(deps.DB),
		Sessions: sessionstore.New(deps.DB),
		Codes:    rows,
		Crowds:   rows,
		SignIns:  rows,
		Guesses:  guesses,
		Starts: &limits.Flows{
			Counter: guesses,
			Secret:  secret,
			Most:    cfg.Limits.Flows,
			Window:  cfg.Limits.Window,
		},
		Trail:       auditstore.New(deps.DB, name, deps.Now, deps.Random).Counting(deps.MeterProvider),
		SessionIdle: cfg.Sessions.Idle,
		CodeTTL:     cfg.Tokens.DeviceCodeTTL,
		GuessRule:   cfg.Limits.Rule(cfg.Limits.UserCode),
		MaxWaiting:  domain.MaxWaiting,
		GuessSecret: secret,
		Now:         deps.Now,
		Random:      deps.Random,
		Logger:      deps.Logger,
	}}
}

// sweep deletes expired rows from the tables that this service writes to.
func sweep(ctx context.Context, deps Deps) error {
	codes := grantstore.NewForDevice(deps.DB)
	tasks, ctx := errgroup.WithContext(ctx)
	for what, remove := range map[string]func(context.Context, time.Time, int) (int, error){
		"device codes": func(ctx context.Context, now time.Time, batch int) (int, error) {
			return codes.DeleteExpired(ctx, now.Add(-keepCodes), batch)
		},
		"limits":     limitstore.New(deps.DB).DeleteExpired,
		"assertions": assertionstore.New(deps.DB).DeleteExpired,
	} {
		tasks.Go(func() error { return servicekit.Sweep(ctx, deps, what, remove) })
	}

	return tasks.Wait()
}
