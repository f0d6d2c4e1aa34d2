package keys

import (
	"context"
	"errors"
	"slices"
	"time"

	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database/changes"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/wiring"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/adapters/httpapi"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/app"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/domain"
)

// Config is the service's configuration.
type Config struct {
	Server   config.Server
	Database config.Database
	Signing  config.Signing
	Tokens   config.Tokens
	Sessions config.Sessions
	Audit    config.Audit // the keys service maintains the audit trail
}

// Deps holds the service's dependencies. KeyMaker is required.
type Deps = servicekit.Deps

// New builds the service. Keys are created by its Run, not here.
func New(cfg Config, deps Deps) (*servicekit.Service, error) {
	return wiring.Build("keys", deps, func(k *wiring.Kit) (*servicekit.Service, error) { return build(cfg, k) })
}

func build(cfg Config, k *wiring.Kit) (*servicekit.Service, error) {
	if k.KeyMaker == nil {
		return nil, errors.New("dependencies missing: KeyMaker")
	}

	policy, err := policyOf(cfg)
	if err != nil {
		return nil, err
	}

	store := keystore.New(k.DB)
	publisher := &app.Publisher{
		Ring:   signing.NewRing(signing.RingOptions{Schedule: store, Now: k.Now, Logger: k.Logger}),
		Origin: cfg.Server.Origin(),
		Policy: policy,
		Now:    k.Now,
	}

	task := &app.Task{
		Keeper: &app.Keeper{
			Schedule: store,
			Store:    store,
			Maker:    k.KeyMaker,
			Trail:    k.Trail(),
			Policy:   policy,
			Now:      k.Now,
			Logger:   k.Logger,
		},
		Publisher: publisher,
		Logger:    k.Logger,
		Wished:    k.Changes.Signal(changes.SigningKeys, changes.KeyOrders, changes.Applications),
		Changed:   k.Changes.Signal(changes.SigningKeys),
	}

	handlers, err := httpapi.New(httpapi.Options{Publisher: publisher})
	if err != nil {
		return nil, err
	}

	options := servicekit.Edge(k.Name, cfg.Server, k.Deps)
	options.Handlers, options.CORS = handlers, httpkit.CORS{Open: httpapi.CORSOperations()}
	handler, err := httpkit.NewHandler(options)
	if err != nil {
		return nil, err
	}

	return &servicekit.Service{
		Handler: handler,
		Run:     wiring.Together(task.Run, upkeep(k, cfg.Audit.Retention)),
		Ready: func(context.Context) error {
			_, err := publisher.Documents()
			return err
		},
		FromMemory: true,
	}, nil
}

// upkeep returns the task that maintains the audit trail.
func upkeep(k *wiring.Kit, retention time.Duration) wiring.Task {
	const what = "the audit trail"
	work := auditstore.NewUpkeep(k.DB, k.Name, k.Now, k.Random, retention)
	return wiring.Together(
		k.Regularly("can't remove rows past their retention", what, work.Shorten),
		k.Regularly("can't seal past days", what, work.Seal),
		k.Regularly("can't create the next months", what, work.Months),
	)
}

// policyOf returns the configured policy. RS256 always has a key, since a client that was
// told nothing expects it (OpenID Connect Core 15.1).
func policyOf(cfg Config) (domain.Policy, error) {
	algorithms := []signing.Algorithm{
		signing.RS256, cfg.Signing.AccessTokenAlg, cfg.Signing.IDTokenAlg, cfg.Signing.IDTokenAlg.Logout(),
	}
	slices.Sort(algorithms)
	policy := domain.Policy{
		Algorithms:   slices.Compact(algorithms),
		Rotation:     cfg.Signing.KeyRotation,
		PublishAhead: cfg.Signing.KeyPublishAhead,
		TokenTTL:     cfg.Tokens.AccessTokenTTL,
		SessionLife:  cfg.Sessions.Lifetime,
	}

	return policy, policy.Validate()
}
