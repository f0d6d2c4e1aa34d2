package wiring

import (
	"errors"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/audit/refusals"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/cachestats"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database/changes"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
)

// Trail returns the audit trail, whose events are counted. Each call returns a store of its own,
// which starts a chain of its own.
func (k *Kit) Trail() *auditstore.Store {
	return auditstore.New(k.DB, k.Name, k.Now, k.Random).Counting(k.MeterProvider)
}

// Refusals returns the recorder of error pages, which become events of the given kind.
func (k *Kit) Refusals(kind audit.Kind) *refusals.Refusals {
	return refusals.New(kind, k.Trail(), k.Logger, k.Now)
}

// Signer returns the keys, for a service that signs. Its Run must run.
//
// The ring refreshes at least four times within the lead with which new keys are published, so
// that what it verifies never names a key that is unknown here.
func (k *Kit) Signer(cfg config.Signing) (*signing.Ring, error) {
	if k.Signing == nil {
		return nil, errors.New("dependencies missing: Signing")
	}

	return k.ring(signing.RingOptions{Backend: k.Signing, Refresh: cfg.Refresh()}), nil
}

// Verifier returns the public keys, for a service that only verifies. Its Run must run.
func (k *Kit) Verifier() *signing.Ring { return k.ring(signing.RingOptions{}) }

// ring returns a ring over the schedule in the database, whose look-ups of tokens are counted.
func (k *Kit) ring(o signing.RingOptions) *signing.Ring {
	stats := &cachestats.Stats{}
	o.Schedule = keystore.New(k.DB)
	o.Now = k.Now
	o.Logger = k.Logger
	o.Changed = k.Changes.Signal(changes.SigningKeys)
	o.Lookups = stats

	ring := signing.NewRing(o)
	stats.Export(cachestats.Of{Cache: "tokens", Component: k.Name, MeterProvider: k.MeterProvider}, ring.Seen)
	return ring
}

// Applications returns a cache of the registered applications in source.
func (k *Kit) Applications(source appcache.Source) *appcache.Cache {
	return appcache.New(source, k.cacheOptions())
}

// Origins returns a cache of the registered origins in source (CORS).
func (k *Kit) Origins(source appcache.OriginSource) *appcache.Origins {
	return appcache.NewOrigins(source, k.cacheOptions())
}

func (k *Kit) cacheOptions() appcache.Options {
	return appcache.Options{
		Now:           k.Now,
		Changes:       k.Changes,
		Component:     k.Name,
		MeterProvider: k.MeterProvider,
	}
}

// Starts returns the limit on the sign-ins that an address may start.
func (k *Kit) Starts(cfg config.Limits, keys config.Encryption) *limits.Starts {
	return &limits.Starts{
		Counter: limitstore.New(k.DB),
		Secret:  keys.Derive("limits"),
		Most:    cfg.Flows,
		Window:  cfg.Window,
	}
}

// Sealer returns what seals and opens a flow that is kept in a URL.
func (k *Kit) Sealer(keys config.Encryption) (*sealed.Sealer, error) {
	return sealed.New(keys.DeriveAll(sealed.Label), k.Random)
}
