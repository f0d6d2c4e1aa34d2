package setup

import (
	"errors"
	"fmt"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/clientauth/jwks"
	assertionstore "github.com/platform-oauth/platform-oauth/libs/clientauth/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/config"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
)

// Config is the part of a service's configuration that concerns client authentication.
type Config struct {
	Service    string // the service's name, for metrics
	Server     config.Server
	Limits     config.Limits
	Encryption config.Encryption
	Outbound   config.Outbound
}

// Authenticator builds an authenticator. It refuses a configuration without the limits and keys
// needed to count failures, with which either every client would be blocked at once or none
// ever.
func Authenticator(cfg Config, deps servicekit.Deps) (*clientauth.Authenticator, error) {
	if cfg.Limits.ClientAuth < 1 || len(cfg.Encryption.Keys) == 0 {
		return nil, errors.New("configuration missing: Limits and Encryption are needed")
	}

	fetcher, err := servicekit.OutboundClient(cfg.Outbound, deps)
	if err != nil {
		return nil, fmt.Errorf("client authentication: %w", err)
	}

	return &clientauth.Authenticator{
		Issuer: cfg.Server.Issuer(),
		Keys: jwks.New(fetcher, jwks.Options{
			Now:           deps.Now,
			Logger:        deps.Logger,
			MeterProvider: deps.MeterProvider,
			Component:     cfg.Service,
		}),
		Assertions: assertionstore.New(deps.DB),
		Limiter:    limitstore.New(deps.DB),
		Rule:       cfg.Limits.Rule(cfg.Limits.ClientAuth),
		LimitKey:   cfg.Encryption.Derive("limits"),
		Now:        deps.Now,
	}, nil
}
