package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database/changes"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/adapters/httpapi"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/app"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/ports"
)

const name = "keys"

var (
	_ ports.Schedule = (*keystore.Store)(nil)
	_ ports.Wishes   = (*keystore.Store)(nil)
	_ ports.Trail    = (*auditstore.Store)(nil)
)

// Config is the service's configuration.
type Config struct {
	Server   servicekit.Server
	Database servicekit.Database
	Signing  servicekit.Signing
	Tokens   servicekit.Tokens
	Sessions servicekit.Sessions
	Audit    servicekit.Audit // the keys service maintains the audit trail
}

// Deps holds the service's dependencies. KeyMaker is required.
type Deps = servicekit.Deps

// New builds the service. Keys are created by its Run, not here.
func New(cfg Config, deps Deps) (*servicekit.Service, error) {
	deps, err := deps.Complete()
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}

	if deps.KeyMaker == nil {
		return nil, errors.New("keys: dependencies missing: KeyMaker")
	}

	policy, err := policyOf(cfg)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}

	store := keystore.New(deps.DB)
	publisher := &app.Publisher{
		Ring:   signing.NewRing(signing.RingOptions{Schedule: store, Now: deps.Now, Logger: deps.Logger}),
		Origin: cfg.Server.Origin(),
		Policy: policy,
		Now:    deps.Now,
	}

	task := &app.Task{
		Keeper: &app.Keeper{
			Schedule: store,
			Wishes:   store,
			Maker:    deps.KeyMaker,
			Trail:    auditstore.New(deps.DB, name, deps.Now, deps.Random).Counting(deps.MeterProvider),
			Policy:   policy,
			Now:      deps.Now,
			Logger:   deps.Logger,
		},
		Publisher: publisher,
		Logger:    deps.Logger,
		Wished:    deps.Changes.Signal(changes.SigningKeys, changes.KeyOrders, changes.Applications),
		Changed:   deps.Changes.Signal(changes.SigningKeys),
	}

	edge := &httpapi.API{Publisher: publisher}
	options := servicekit.Edge(name, cfg.Server, deps)
	options.Handlers, options.CORS = edge.Handlers(), httpkit.CORS{Open: httpapi.CORSOperations()}
	handler, err := httpkit.NewHandler(options)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}

	return &servicekit.Service{
		Handler: handler,
		Run: func(ctx context.Context) error {
			tasks, ctx := errgroup.WithContext(ctx)
			tasks.Go(func() error { return task.Run(ctx) })
			upkeep := auditstore.NewUpkeep(deps.DB, name, deps.Now, deps.Random, cfg.Audit.Retention)
			for failed, work := range map[string]func(context.Context, time.Time, int) (int, error){
				"can't remove rows past their retention": upkeep.Shorten,
				"can't seal past days":                   upkeep.Seal,
				"can't create the next months":           upkeep.Months,
			} {
				tasks.Go(func() error { return servicekit.Regularly(ctx, deps, failed, "the audit trail", work) })
			}

			return tasks.Wait()
		},
		Ready: func(context.Context) error {
			_, err := publisher.Documents()
			return err
		},
		FromMemory: true,
	}, nil
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
