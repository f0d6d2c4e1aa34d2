package token

import (
	"context"
	"net/http"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	assertionstore "github.com/platform-oauth/platform-oauth/libs/clientauth/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/wiring"
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
	return wiring.Build("token", deps, func(k *wiring.Kit) (*servicekit.Service, error) { return build(cfg, k) })
}

func build(cfg Config, k *wiring.Kit) (*servicekit.Service, error) {
	ring, err := k.Signer(cfg.Signing)
	if err != nil {
		return nil, err
	}

	authenticator, err := k.Authenticator(wiring.Clients{
		Server:     cfg.Server,
		Limits:     cfg.Limits,
		Encryption: cfg.Encryption,
		Outbound:   cfg.Outbound,
	})
	if err != nil {
		return nil, err
	}

	rows := grantstore.NewForToken(k.DB)
	registry := directorystore.NewApplicationsWithSecrets(k.DB)
	cases, err := useCases(cfg, k, useCaseParts{
		ring:          ring,
		rows:          rows,
		registry:      registry,
		authenticator: authenticator,
	})
	if err != nil {
		return nil, err
	}

	handler, err := newHandler(cfg.Server, k, cases, registry)
	if err != nil {
		return nil, err
	}

	return &servicekit.Service{
		Handler: handler,
		Run: wiring.Together(
			ring.Run,
			k.Sweep("grants and tokens", rows.DeleteExpired),
			k.Sweep("limits", limitstore.New(k.DB).DeleteExpired),
			k.Sweep("assertions", assertionstore.New(k.DB).DeleteExpired),
		),
		Ready: func(ctx context.Context) error {
			if err := ring.CanSign(); err != nil {
				return err
			}
			return k.DB.CheckSchema(ctx)
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

func useCases(cfg Config, k *wiring.Kit, parts useCaseParts) (httpapi.Options, error) {
	ring, rows := parts.ring, parts.rows
	counter, err := metrics.New(k.MeterProvider)
	if err != nil {
		return httpapi.Options{}, err
	}

	applications := k.Applications(parts.registry)
	trail := &app.Trail{Events: k.Trail().Sampling(cfg.Audit.ExchangeSample), Logger: k.Logger}
	clients := &app.Clients{Applications: applications, Authenticator: parts.authenticator, Trail: trail}
	tokens := &app.Tokens{
		Applications: applications,
		Standings:    rows,
		Verifier:     ring,
		Issuer:       cfg.Server.Issuer(),
		Now:          k.Now,
	}

	issuer := app.NewIssuer(app.Config{
		Clients:         clients,
		Tokens:          tokens,
		Codes:           rows,
		Devices:         rows,
		RefreshTokens:   rows,
		Consents:        sessionstore.New(k.DB),
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
		Now:             k.Now,
		Random:          k.Random,
		Logger:          k.Logger,
	})

	return httpapi.Options{
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
	server config.Server, k *wiring.Kit, cases httpapi.Options, registry appcache.OriginSource,
) (http.Handler, error) {
	handlers, err := httpapi.New(cases)
	if err != nil {
		return nil, err
	}

	options := servicekit.Edge(k.Name, server, k.Deps)
	options.Handlers = handlers
	options.CORS = httpkit.CORS{
		Registered: httpapi.CORSOperations(),
		Known:      k.Origins(registry).Known,
	}

	return httpkit.NewHandler(options)
}
