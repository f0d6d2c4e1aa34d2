package authorize

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/audit/refusals"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database/changes"
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
	"github.com/platform-oauth/platform-oauth/libs/signing"
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/adapters/hints"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/adapters/httpapi"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/app"
)

const (
	name = "authorize"
	// minKeepCodes is the minimum time for which a used code is remembered, whatever the
	// platform's access token lifetime, since an application may have a longer one. A replay is
	// recognized as long as tokens issued for the code may live (RFC 6749 4.1.2).
	minKeepCodes = 24 * time.Hour
)

// Config is the service's configuration.
type Config struct {
	Server   servicekit.Server
	Database servicekit.Database
	Sessions servicekit.Sessions
	Tokens   servicekit.Tokens
	Limits   servicekit.Limits
	// Encryption provides the keys for sealed requests and the key of the identifiers under
	// which started sign-ins are counted.
	Encryption servicekit.Encryption
}

// Deps holds the service's dependencies.
type Deps = servicekit.Deps

// New builds the service.
func New(cfg Config, deps Deps) (*servicekit.Service, error) {
	deps, err := deps.Complete()
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}

	if cfg.Limits.Flows < 1 || cfg.Limits.Window <= 0 || len(cfg.Encryption.Keys) == 0 {
		return nil, errors.New("authorize: configuration missing: Limits and Encryption are needed")
	}

	ui, err := webui.New()
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}

	ring := signing.NewRing(signing.RingOptions{
		Schedule: keystore.New(deps.DB),
		Now:      deps.Now,
		Logger:   deps.Logger,
		Changed:  deps.Changes.Signal(changes.SigningKeys),
	})

	sealer, err := sealed.New(cfg.Encryption.DeriveAll(sealed.Label), deps.Random)
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}

	rows := grantstore.NewForAuthorize(deps.DB).Sealing(sealer)
	handlers := &httpapi.API{
		Authorizer: authorizer(cfg, deps, rows, ring),
		Jar:        cookie.Jar{Secure: cfg.Server.Secure()},
		UI:         ui,
	}

	told := refusals.New(audit.RequestRefused,
		auditstore.New(deps.DB, name, deps.Now, deps.Random).Counting(deps.MeterProvider), deps.Logger, deps.Now)
	options := servicekit.Edge(name, cfg.Server, deps)
	options.Handlers, options.ErrorPage = handlers.Handlers(), told.Page(ui.ErrorPage)
	options.Unattended = httpapi.SilentRenewal
	handler, err := httpkit.NewHandler(options)
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}

	keep := max(cfg.Tokens.AccessTokenTTL, minKeepCodes)
	return &servicekit.Service{
		Handler: handler,
		Run: func(ctx context.Context) error {
			group, ctx := errgroup.WithContext(ctx)
			group.Go(func() error { return ring.Run(ctx) })
			group.Go(func() error {
				return servicekit.Sweep(ctx, deps,
					"requests and codes", func(ctx context.Context, now time.Time, batch int) (int, error) {
						return rows.DeleteExpired(ctx, now, keep, batch)
					})
			})

			return group.Wait()
		},
		Ready: deps.DB.CheckSchema,
	}, nil
}

func authorizer(cfg Config, deps Deps, rows *grantstore.ForAuthorize, ring *signing.Ring) *app.Authorizer {
	signedIn := sessionstore.New(deps.DB)
	return &app.Authorizer{Config: app.Config{
		Applications: applications(deps),
		People:       directorystore.NewPeople(deps.DB),
		Sessions:     signedIn,
		Accounts:     signedIn,
		Requests:     rows,
		Posted:       rows,
		Codes:        rows,
		Trail:        auditstore.New(deps.DB, name, deps.Now, deps.Random).Counting(deps.MeterProvider),
		Flows: &limits.Flows{
			Counter: limitstore.New(deps.DB),
			Secret:  cfg.Encryption.Derive("limits"),
			Most:    cfg.Limits.Flows,
			Window:  cfg.Limits.Window,
		},
		Hints:       &hints.Hints{Keys: ring.Hints(), Issuer: cfg.Server.Issuer()},
		Issuer:      cfg.Server.Issuer(),
		Loopback:    cfg.Server.Loopback(),
		SessionIdle: cfg.Sessions.Idle,
		CodeTTL:     cfg.Tokens.CodeTTL,
		Now:         deps.Now,
		Random:      deps.Random,
		Logger:      deps.Logger,
	}}
}

func applications(deps Deps) *appcache.Cache {
	return appcache.New(directorystore.NewApplications(deps.DB), appcache.Options{
		Now:           deps.Now,
		Changes:       deps.Changes,
		Component:     name,
		MeterProvider: deps.MeterProvider,
	})
}
