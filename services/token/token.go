package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/token/internal/adapters/httpapi"
	"github.com/platform-oauth/platform-oauth/services/token/internal/adapters/metrics"
	"github.com/platform-oauth/platform-oauth/services/token/internal/app"
)

// Config is what the service reads from its environment.
type Config struct {
	Server   servicekit.Server
	Database servicekit.Database
	Signing  servicekit.Signing
	Tokens   servicekit.Tokens
}

// Deps is what the service works with.
type Deps = servicekit.Deps

// New builds the service. It needs a signing backend; it listens nowhere and
// starts nothing.
func New(cfg Config, deps Deps) (*servicekit.Service, error) {
	deps, err := deps.Complete()
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	if deps.Signing == nil {
		return nil, errors.New("token: dependencies missing: Signing")
	}
	ring := signing.NewRing(signing.RingOptions{
		Schedule: keystore.New(deps.DB),
		Backend:  deps.Signing,
		Now:      deps.Now,
		Logger:   deps.Logger,
		Refresh:  cfg.Signing.Refresh(),
	})
	rows := grantstore.NewForToken(deps.DB)
	issuer, userInfo, err := useCases(cfg, deps, ring, rows)
	if err != nil {
		return nil, err
	}
	handler, err := newHandler(cfg.Server, deps, issuer, userInfo)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return &servicekit.Service{
		Handler: handler,
		Run: func(ctx context.Context) error {
			return together(ctx, ring.Run, func(ctx context.Context) error {
				return app.Sweep(ctx, rows, deps.Now, deps.Logger)
			})
		},
		Ready: func(ctx context.Context) error {
			if err := ring.Ready(); err != nil {
				return err
			}
			return deps.DB.CheckSchema(ctx)
		},
	}, nil
}

func useCases(cfg Config, deps Deps, ring *signing.Ring, rows *grantstore.ForToken) (*app.Issuer, *app.UserInfo, error) {
	counter, err := metrics.New(deps.MeterProvider)
	if err != nil {
		return nil, nil, fmt.Errorf("token: %w", err)
	}
	applications := appcache.New(directorystore.NewApplicationsWithSecrets(deps.DB), appcache.Options{Now: deps.Now})
	issuer := app.NewIssuer(app.Config{
		Applications:   applications,
		Codes:          rows,
		Devices:        rows,
		Signer:         ring,
		Observer:       counter,
		Issuer:         cfg.Server.Issuer(),
		AccessTokenAlg: cfg.Signing.AccessTokenAlg,
		IDTokenAlg:     cfg.Signing.IDTokenAlg,
		AccessTokenTTL: cfg.Tokens.AccessTokenTTL,
		Now:            deps.Now,
		Random:         deps.Random,
		Logger:         deps.Logger,
	})
	return issuer, &app.UserInfo{
		Applications: applications,
		Standings:    rows,
		Verifier:     ring,
		Issuer:       cfg.Server.Issuer(),
		Now:          deps.Now,
	}, nil
}

func newHandler(server servicekit.Server, deps Deps, issuer *app.Issuer, userInfo *app.UserInfo) (http.Handler, error) {
	ui, err := webui.New()
	if err != nil {
		return nil, err
	}
	return httpkit.NewHandler(httpkit.Options{
		Service:        "token",
		Routes:         api.For("token"),
		Handlers:       httpapi.Handlers(issuer, userInfo),
		TrustedProxies: server.TrustedProxies,
		MaxBody:        server.HTTP.MaxBody,
		Deadline:       server.HTTP.RequestDeadline,
		Secure:         server.Secure(),
		Logger:         deps.Logger,
		TracerProvider: deps.TracerProvider,
		MeterProvider:  deps.MeterProvider,
		Random:         deps.Random,
		ErrorPage:      ui.ErrorPage,
	})
}

// together runs background tasks until ctx ends or one of them fails.
func together(ctx context.Context, tasks ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make(chan error, len(tasks))
	for _, task := range tasks {
		go func() {
			err := task(ctx)
			if err != nil {
				cancel(err)
			}
			results <- err
		}()
	}
	var all []error
	for range tasks {
		all = append(all, <-results)
	}
	return errors.Join(all...)
}
