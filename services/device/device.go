package device

import (
	"context"
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	assertionstore "github.com/platform-oauth/platform-oauth/libs/clientauth/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/config"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/libs/wiring"
	"github.com/platform-oauth/platform-oauth/services/device/internal/adapters/httpapi"
	"github.com/platform-oauth/platform-oauth/services/device/internal/app"
	"github.com/platform-oauth/platform-oauth/services/device/internal/domain"
)

// keepCodes is how long a code is kept after it expired, so that a device that keeps polling is
// told expired_token rather than invalid_grant (RFC 8628 3.5).
const keepCodes = 24 * time.Hour

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
	return wiring.Build("device", deps, func(k *wiring.Kit) (*servicekit.Service, error) { return build(cfg, k) })
}

func build(cfg Config, k *wiring.Kit) (*servicekit.Service, error) {
	if cfg.Limits.UserCode < 1 || cfg.Limits.Flows < 1 || cfg.Limits.Window <= 0 || len(cfg.Encryption.Keys) == 0 {
		return nil, errors.New("configuration missing: Limits and Encryption are needed")
	}

	ui, err := webui.New()
	if err != nil {
		return nil, err
	}

	registry := directorystore.NewApplicationsWithSecrets(k.DB)
	usecases, err := newDevice(cfg, k, registry)
	if err != nil {
		return nil, err
	}

	handlers, err := httpapi.New(httpapi.Options{
		Device: usecases,
		Jar:    cookie.Jar{Secure: cfg.Server.Secure()},
		Origin: cfg.Server.Origin(),
		Known:  k.Origins(registry).Known,
		UI:     ui,
	})
	if err != nil {
		return nil, err
	}

	options := servicekit.Edge(k.Name, cfg.Server, k.Deps)
	options.Handlers, options.ErrorPage = handlers, k.Refusals(audit.DeviceRefused).Page(ui.ErrorPage)
	handler, err := httpkit.NewHandler(options)
	if err != nil {
		return nil, err
	}

	return &servicekit.Service{
		Handler: handler,
		Run:     sweep(k),
		Ready:   k.DB.CheckSchema,
	}, nil
}

func newDevice(cfg Config, k *wiring.Kit, registry *directorystore.Applications) (*app.Device, error) {
	clients, err := k.Authenticator(wiring.Clients{
		Server:     cfg.Server,
		Limits:     cfg.Limits,
		Encryption: cfg.Encryption,
		Outbound:   cfg.Outbound,
	})
	if err != nil {
		return nil, err
	}

	sealer, err := k.Sealer(cfg.Encryption)
	if err != nil {
		return nil, err
	}

	rows := grantstore.NewForDevice(k.DB).Sealing(sealer)
	starts := k.Starts(cfg.Limits, cfg.Encryption)

	return &app.Device{Config: app.Config{
		Applications: k.Applications(registry),
		Clients:      clients,
		People:       directorystore.NewPeople(k.DB),
		Sessions:     sessionstore.New(k.DB),
		Codes:        rows,
		Crowds:       rows,
		Flows:        rows,
		Limits:       limitstore.New(k.DB),
		Starts:       starts,
		Requests:     starts.Of("device authorization"),
		Trail:        k.Trail(),
		SessionIdle:  cfg.Sessions.Idle,
		CodeTTL:      cfg.Tokens.DeviceCodeTTL,
		GuessRule:    cfg.Limits.Rule(cfg.Limits.UserCode),
		MaxWaiting:   domain.MaxWaiting,
		GuessSecret:  cfg.Encryption.Derive("limits"),
		Now:          k.Now,
		Random:       k.Random,
		Logger:       k.Logger,
	}}, nil
}

// sweep returns the task that deletes expired rows from the tables that this service writes to.
func sweep(k *wiring.Kit) wiring.Task {
	codes := grantstore.NewForDevice(k.DB)
	return wiring.Together(
		k.Sweep("device codes", func(ctx context.Context, now time.Time, batch int) (int, error) {
			return codes.DeleteExpired(ctx, now.Add(-keepCodes), batch)
		}),
		k.Sweep("limits", limitstore.New(k.DB).DeleteExpired),
		k.Sweep("assertions", assertionstore.New(k.DB).DeleteExpired),
	)
}
