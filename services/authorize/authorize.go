package authorize

import (
	"context"
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/config"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/libs/wiring"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/adapters/httpapi"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/app"
)

// minKeepCodes is the minimum time for which a used code is remembered, whatever the platform's
// access token lifetime, since an application may have a longer one. A replay is recognized as
// long as tokens issued for the code may live (RFC 6749 4.1.2).
const minKeepCodes = 24 * time.Hour

// Config is the service's configuration.
type Config struct {
	Server   config.Server
	Database config.Database
	Sessions config.Sessions
	Tokens   config.Tokens
	Limits   config.Limits
	// Encryption provides the keys for sealed requests and the key of the identifiers under
	// which started sign-ins are counted.
	Encryption config.Encryption
}

// Deps holds the service's dependencies.
type Deps = servicekit.Deps

// New builds the service.
func New(cfg Config, deps Deps) (*servicekit.Service, error) {
	return wiring.Build("authorize", deps, func(k *wiring.Kit) (*servicekit.Service, error) { return build(cfg, k) })
}

func build(cfg Config, k *wiring.Kit) (*servicekit.Service, error) {
	if cfg.Limits.Flows < 1 || cfg.Limits.Window <= 0 || len(cfg.Encryption.Keys) == 0 {
		return nil, errors.New("configuration missing: Limits and Encryption are needed")
	}

	ui, err := webui.New()
	if err != nil {
		return nil, err
	}

	sealer, err := k.Sealer(cfg.Encryption)
	if err != nil {
		return nil, err
	}

	ring, rows := k.Verifier(), grantstore.NewForAuthorize(k.DB).Sealing(sealer)
	handlers, err := httpapi.New(httpapi.Options{
		Authorizer: authorizer(cfg, k, rows, ring),
		Jar:        cookie.Jar{Secure: cfg.Server.Secure()},
		UI:         ui,
	})
	if err != nil {
		return nil, err
	}

	options := servicekit.Edge(k.Name, cfg.Server, k.Deps)
	options.Handlers, options.ErrorPage = handlers, k.Refusals(audit.RequestRefused).Page(ui.ErrorPage)
	options.Unattended = httpapi.SilentRenewal
	handler, err := httpkit.NewHandler(options)
	if err != nil {
		return nil, err
	}

	keep := max(cfg.Tokens.AccessTokenTTL, minKeepCodes)
	expire := func(ctx context.Context, now time.Time, batch int) (int, error) {
		return rows.DeleteExpired(ctx, now, keep, batch)
	}

	return &servicekit.Service{
		Handler: handler,
		Run:     wiring.Together(ring.Run, k.Sweep("requests and codes", expire)),
		Ready:   k.DB.CheckSchema,
	}, nil
}

func authorizer(cfg Config, k *wiring.Kit, rows *grantstore.ForAuthorize, ring *signing.Ring) *app.Authorizer {
	return &app.Authorizer{Config: app.Config{
		Applications: k.Applications(directorystore.NewApplications(k.DB)),
		People:       directorystore.NewPeople(k.DB),
		Sessions:     sessionstore.New(k.DB),
		Flows:        rows,
		Posted:       rows,
		Codes:        rows,
		Trail:        k.Trail(),
		Starts:       k.Starts(cfg.Limits, cfg.Encryption),
		Hints:        ring.Hints(),
		Issuer:       cfg.Server.Issuer(),
		Loopback:     cfg.Server.Loopback(),
		SessionIdle:  cfg.Sessions.Idle,
		CodeTTL:      cfg.Tokens.CodeTTL,
		Now:          k.Now,
		Random:       k.Random,
		Logger:       k.Logger,
	}}
}
