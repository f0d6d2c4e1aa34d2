package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/clientauth/setup"
	assertionstore "github.com/platform-oauth/platform-oauth/libs/clientauth/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database/changes"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/token/internal/adapters/httpapi"
	"github.com/platform-oauth/platform-oauth/services/token/internal/adapters/metrics"
	"github.com/platform-oauth/platform-oauth/services/token/internal/app"
)

// Config is the service's configuration, read from the environment.
type Config struct {
	Server     config.Server
	Database   config.Database
	Signing    config.Signing
	Tokens     config.Tokens
	Limits     config.Limits
	Encryption config.Encryption
	Outbound   config.Outbound
	Audit      config.Audit
}

// Deps holds the service's dependencies.
type Deps = servicekit.Deps

// New builds the service. It needs a signing backend. It doesn't listen and starts nothing.
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
		Changed:  deps.Changes.Signal(changes.SigningKeys),
	})

	rows := grantstore.NewForToken(deps.DB)
	failures := limitstore.New(deps.DB)
	assertions := assertionstore.New(deps.DB)
	registry := directorystore.NewApplicationsWithSecrets(deps.DB)
	authenticator, err := setup.Authenticator(setup.Config{
		Service:    "token",
		Server:     cfg.Server,
		Limits:     cfg.Limits,
		Encryption: cfg.Encryption,
		Outbound:   cfg.Outbound,
	}, deps)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}

	cases, err := useCases(cfg, deps, useCaseParts{
		ring:          ring,
		rows:          rows,
		registry:      registry,
		authenticator: authenticator,
	})
	if err != nil {
		return nil, err
	}

	handler, err := newHandler(cfg.Server, deps, cases, registry)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}

	return &servicekit.Service{
		Handler: handler,
		Run: func(ctx context.Context) error {
			tasks, ctx := errgroup.WithContext(ctx)
			tasks.Go(func() error { return ring.Run(ctx) })
			for what, remove := range map[string]func(context.Context, time.Time, int) (int, error){
				"grants and tokens": rows.DeleteExpired, "limits": failures.DeleteExpired,
				"assertions": assertions.DeleteExpired,
			} {
				tasks.Go(func() error { return servicekit.Sweep(ctx, deps, what, remove) })
			}
			return tasks.Wait()
		},
		Ready: func(ctx context.Context) error {
			if err := ring.CanSign(); err != nil {
				return err
			}
			return deps.DB.CheckSchema(ctx)
		},
	}, nil
}

// useCaseParts holds the dependencies that the use cases share.
type useCaseParts struct {
	ring          *signing.Ring
	rows          *grantstore.ForToken
	registry      *directorystore.Applications
	authenticator *clientauth.Authenticator
}

func useCases(cfg Config, deps Deps, parts useCaseParts) (httpapi.UseCases, error) {
	ring, rows := parts.ring, parts.rows
	counter, err := metrics.New(deps.MeterProvider)
	if err != nil {
		return httpapi.UseCases{}, fmt.Errorf("token: %w", err)
	}

	applications := appcache.New(parts.registry, appcache.Options{
		Now:           deps.Now,
		Changes:       deps.Changes,
		Component:     "token",
		MeterProvider: deps.MeterProvider,
	})

	trail := &app.Trail{
		Events: auditstore.New(deps.DB, "token", deps.Now,
			deps.Random).Counting(deps.MeterProvider).Sampling(cfg.Audit.ExchangeSample),
		Logger: deps.Logger,
	}
	clients := &app.Clients{Applications: applications, Authenticator: parts.authenticator, Trail: trail}
	tokens := &app.Tokens{
		Applications: applications,
		Standings:    rows,
		Verifier:     ring,
		Issuer:       cfg.Server.Issuer(),
		Now:          deps.Now,
	}

	issuer := app.NewIssuer(app.Config{
		Clients:         clients,
		Tokens:          tokens,
		Codes:           rows,
		Devices:         rows,
		RefreshTokens:   rows,
		Consents:        sessionstore.New(deps.DB),
		Trail:           trail,
		Signer:          ring,
		Observer:        counter,
		Issuer:          cfg.Server.Issuer(),
		AccessTokenAlg:  cfg.Signing.AccessTokenAlg,
		IDTokenAlg:      cfg.Signing.IDTokenAlg,
		AccessTokenTTL:  cfg.Tokens.AccessTokenTTL,
		RefreshTokenTTL: cfg.Tokens.RefreshTokenTTL,
		RefreshIdleTTL:  cfg.Tokens.RefreshIdleTTL,
		RefreshGrace:    cfg.Tokens.RefreshGrace,
		Now:             deps.Now,
		Random:          deps.Random,
		Logger:          deps.Logger,
	})

	return httpapi.UseCases{
		Issuer:   issuer,
		UserInfo: &app.UserInfo{Tokens: tokens},
		Revoker: &app.Revoker{
			Clients:     clients,
			Tokens:      tokens,
			Revocations: rows,
			Trail:       trail,
		},
		Introspector: &app.Introspector{Clients: clients, Tokens: tokens, RefreshTokens: rows},
		Origins:      &app.Origins{Applications: applications, Tokens: tokens},
	}, nil
}

func newHandler(
	server config.Server, deps Deps, cases httpapi.UseCases, registry appcache.OriginSource,
) (http.Handler, error) {
	options := servicekit.Edge("token", server, deps)
	options.Handlers = httpapi.Handlers(cases)
	options.CORS = httpkit.CORS{
		Registered: httpapi.CORSOperations(),
		Known: appcache.NewOrigins(registry, appcache.Options{
			Now:           deps.Now,
			Changes:       deps.Changes,
			Component:     "token",
			MeterProvider: deps.MeterProvider,
		}).Known,
	}

	return httpkit.NewHandler(options)
}
