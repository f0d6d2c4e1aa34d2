package session

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	routes "github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	signingstore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/httpapi"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
)

// Config is the service's configuration. Of Signing it uses the schedule's times
// alone: it verifies hints and signs nothing.
type Config struct {
	Server   servicekit.Server
	Database servicekit.Database
	Sessions servicekit.Sessions
	Signing  servicekit.Signing
}

// Deps is what the service is built from; Signing and KeyMaker are not used.
type Deps = servicekit.Deps

// New builds the service. It reads nothing and listens nowhere.
func New(cfg Config, deps Deps) (*servicekit.Service, error) {
	passwords, err := password.New(password.Options{Random: deps.Random})
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return build(cfg, deps, passwords)
}

// build is New with the hasher given, so that tests can count its work.
func build(cfg Config, deps Deps, passwords *password.Hasher) (*servicekit.Service, error) {
	deps, err := deps.Complete()
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	ui, err := webui.New()
	if err != nil {
		return nil, err
	}
	// Never more than a quarter of the lead that new keys are published with, so
	// that a hint never names a key unknown here.
	ring := signing.NewRing(signing.RingOptions{
		Schedule: signingstore.New(deps.DB), Now: deps.Now, Logger: deps.Logger, Refresh: cfg.Signing.Refresh(),
	})
	a := newApp(cfg, deps, passwords, ring)
	handlers, err := httpapi.New(httpapi.Options{App: a, UI: ui, Jar: cookie.Jar{Secure: cfg.Server.Secure()}, Random: deps.Random})
	if err != nil {
		return nil, err
	}
	opts := options(cfg, deps, ui)
	opts.Handlers = handlers
	handler, err := httpkit.NewHandler(opts)
	if err != nil {
		return nil, err
	}
	return &servicekit.Service{
		Handler: handler,
		Run: func(ctx context.Context) error {
			tasks, ctx := errgroup.WithContext(ctx)
			tasks.Go(func() error { return ring.Run(ctx) })
			tasks.Go(func() error { return a.Expire(ctx) })
			return tasks.Wait()
		},
	}, nil
}

func newApp(cfg Config, deps Deps, passwords *password.Hasher, ring *signing.Ring) *app.App {
	people := directorystore.NewPeople(deps.DB)
	writer := sqlstore.New(deps.DB)
	return &app.App{
		Settings: app.Settings{
			Issuer: cfg.Server.Issuer(), Idle: cfg.Sessions.Idle, Lifetime: cfg.Sessions.Lifetime,
		},
		Flows:        grantstore.NewForSession(deps.DB),
		Sessions:     sessionstore.New(deps.DB),
		Writer:       writer,
		Expiry:       writer,
		Accounts:     people,
		People:       people,
		Applications: appcache.New(directorystore.NewApplications(deps.DB), appcache.Options{Now: deps.Now}),
		Passwords:    passwords,
		Hints:        ring,
		Logger:       deps.Logger,
		Now:          deps.Now,
		Random:       deps.Random,
	}
}

func options(cfg Config, deps Deps, ui *webui.UI) httpkit.Options {
	return httpkit.Options{
		Service:        "session",
		Routes:         routes.For("session"),
		TrustedProxies: cfg.Server.TrustedProxies,
		MaxBody:        cfg.Server.HTTP.MaxBody,
		Deadline:       cfg.Server.HTTP.RequestDeadline,
		Secure:         cfg.Server.Secure(),
		Logger:         deps.Logger,
		TracerProvider: deps.TracerProvider,
		MeterProvider:  deps.MeterProvider,
		Random:         deps.Random,
		ErrorPage:      ui.ErrorPage,
	}
}
