package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/audit/refusals"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database/changes"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/ending"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	signingstore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/httpapi"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/metrics"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
)

// keepExpired is how long a session's row is kept after the session expired. Grants look at
// the row while their last tokens are alive.
const keepExpired = 7 * 24 * time.Hour

// Config is the service's configuration. Signing is used to sign logout tokens, with the
// algorithm of ID tokens, and to verify hints.
type Config struct {
	Server   config.Server
	Database config.Database
	Sessions config.Sessions
	Signing  config.Signing
	Outbound config.Outbound
	Limits   config.Limits
	// Encryption provides the keys for sealed flows, for device cookies, and for the
	// identifiers under which failures are counted.
	Encryption config.Encryption
}

// Deps holds the service's dependencies. Signing is required; KeyMaker isn't used.
type Deps = servicekit.Deps

// New builds the service. It does no I/O and doesn't listen.
func New(cfg Config, deps Deps) (*servicekit.Service, error) {
	hasher, err := password.New(password.Options{Random: deps.Random})
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return build(cfg, deps, hasher)
}

// build is like New but takes the hasher, so that tests can count its work.
func build(cfg Config, deps Deps, hasher *password.Hasher) (*servicekit.Service, error) {
	deps, err := deps.Complete()
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}

	if deps.Signing == nil {
		return nil, errors.New("session: dependencies missing: Signing")
	}

	if cfg.Limits.Flows < 1 || cfg.Limits.Window <= 0 {
		return nil, errors.New("session: configuration missing: Limits are needed")
	}

	ui, err := webui.New()
	if err != nil {
		return nil, err
	}

	// The ring refreshes at least four times within the lead with which new keys are published,
	// so that a hint never names a key that is unknown here.
	ring := signing.NewRing(signing.RingOptions{
		Schedule: signingstore.New(deps.DB),
		Backend:  deps.Signing,
		Now:      deps.Now,
		Logger:   deps.Logger,
		Refresh:  cfg.Signing.Refresh(),
		Changed:  deps.Changes.Signal(changes.SigningKeys),
	})

	words := &passwords{
		Hasher: hasher,
		read:   directorystore.NewPeople(deps.DB).PasswordCosts,
		logger: deps.Logger,
	}

	sealer, err := sealed.New(cfg.Encryption.DeriveAll(sealed.Label), deps.Random)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}

	a := newApp(cfg, deps, words, ring, sealer)
	if a.Trail, err = metrics.NewSignIns(deps.MeterProvider, a.Trail); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}

	if a.Backchannel, err = newBackchannel(cfg, deps, a.Applications, ring); err != nil {
		return nil, err
	}

	told := refusals.New(audit.ErrorShown,
		auditstore.New(deps.DB, "session", deps.Now, deps.Random).Counting(deps.MeterProvider), deps.Logger, deps.Now)
	handlers, err := httpapi.New(httpapi.Options{
		App:    a,
		UI:     ui,
		Jar:    cookie.Jar{Secure: cfg.Server.Secure()},
		Random: deps.Random,
		Shown:  told.Shown,
	})
	if err != nil {
		return nil, err
	}

	opts := servicekit.Edge("session", cfg.Server, deps)
	opts.Handlers, opts.ErrorPage = handlers, told.Page(ui.ErrorPage)
	handler, err := httpkit.NewHandler(opts)
	if err != nil {
		return nil, err
	}

	return &servicekit.Service{
		Handler: handler,
		Run: func(ctx context.Context) error {
			tasks, ctx := errgroup.WithContext(ctx)
			tasks.Go(func() error { return ring.Run(ctx) })
			tasks.Go(func() error {
				return servicekit.Sweep(ctx, deps,
					"sessions", func(ctx context.Context, now time.Time, batch int) (int, error) {
						return sqlstore.New(deps.DB).DeleteExpired(ctx, now.Add(-keepExpired), batch)
					})
			})

			tasks.Go(func() error {
				return servicekit.Sweep(ctx, deps,
					"access that was ended", func(ctx context.Context, now time.Time, batch int) (int, error) {
						return ending.FinishSome(ctx, deps.DB, now, batch)
					})
			})

			tasks.Go(func() error {
				return servicekit.Sweep(ctx, deps, "limits",
					limitstore.New(deps.DB).DeleteExpired)
			})
			tasks.Go(func() error { return a.Backchannel.Run(ctx) })
			tasks.Go(func() error { return words.Run(ctx) })
			tasks.Go(func() error {
				return servicekit.Sweep(ctx, deps, "undelivered logouts", sqlstore.New(deps.DB).DeleteUndelivered)
			})

			return tasks.Wait()
		},
	}, nil
}

func newApp(cfg Config, deps Deps, words *passwords, ring *signing.Ring, sealer *sealed.Sealer) *app.App {
	people := directorystore.NewPeople(deps.DB)
	flows := grantstore.NewForSession(deps.DB).Sealing(sealer)
	reader := sessionstore.New(deps.DB)
	writer := sqlstore.New(deps.DB)
	trail := auditstore.New(deps.DB, "session", deps.Now, deps.Random).Counting(deps.MeterProvider)

	return &app.App{
		Settings: app.Settings{
			Issuer:       cfg.Server.Issuer(),
			Idle:         cfg.Sessions.Idle,
			Lifetime:     cfg.Sessions.Lifetime,
			Guesses:      cfg.Limits.Rule(cfg.Limits.SignIn),
			LimitSecret:  cfg.Encryption.Derive("limits"),
			DeviceSecret: cfg.Encryption.Derive("device-cookie"),
			PseudonymKey: cfg.Encryption.Derive(audit.PseudonymLabel),
			CookieSecret: cfg.Encryption.Derive("next-cookies"),
		},
		Flows:      flows,
		Entrances:  flows,
		Sessions:   reader,
		Lists:      reader,
		Writer:     writer,
		Renewals:   writer,
		Allowances: writer,
		Accounts:   people,
		People:     people,
		Slugs:      people,
		Applications: appcache.New(directorystore.NewApplications(deps.DB), appcache.Options{
			Now:           deps.Now,
			Changes:       deps.Changes,
			Component:     "session",
			MeterProvider: deps.MeterProvider,
		}),
		Passwords: words,
		Hints:     ring.Hints(),
		Limits:    limitstore.New(deps.DB),
		Starts: &limits.Flows{
			Counter: limitstore.New(deps.DB),
			Secret:  cfg.Encryption.Derive("limits"),
			Most:    cfg.Limits.Flows,
			Window:  cfg.Limits.Window,
		},
		Trail:    trail,
		Refusals: refusals.New(audit.FormRefused, trail, deps.Logger, deps.Now),
		Logger:   deps.Logger,
		Now:      deps.Now,
		Random:   deps.Random,
	}
}
