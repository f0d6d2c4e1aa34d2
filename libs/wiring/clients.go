package wiring

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

// Clients is the part of a service's configuration that concerns client authentication.
type Clients struct {
	Server     config.Server
	Limits     config.Limits
	Encryption config.Encryption
	Outbound   config.Outbound
}

// Authenticator returns the authenticator of applications. All services that have one count
// failures and remember assertions together. It refuses a configuration without the limits and
// keys needed to count failures, with which either every client would be blocked at once or none
// ever.
func (k *Kit) Authenticator(cfg Clients) (*clientauth.Authenticator, error) {
	if cfg.Limits.ClientAuth < 1 || len(cfg.Encryption.Keys) == 0 {
		return nil, errors.New("configuration missing: Limits and Encryption are needed")
	}

	fetcher, err := servicekit.OutboundClient(cfg.Outbound, k.Deps)
	if err != nil {
		return nil, fmt.Errorf("client authentication: %w", err)
	}

	return &clientauth.Authenticator{
		Issuer: cfg.Server.Issuer(),
		Keys: jwks.New(fetcher, jwks.Options{
			Now:           k.Now,
			Logger:        k.Logger,
			MeterProvider: k.MeterProvider,
			Component:     k.Name,
		}),
		Assertions: assertionstore.New(k.DB),
		Limiter:    limitstore.New(k.DB),
		Rule:       cfg.Limits.Rule(cfg.Limits.ClientAuth),
		LimitKey:   cfg.Encryption.Derive("limits"),
		Now:        k.Now,
	}, nil
}
