package session

import (
	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/audit/refusals"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/wiring"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/metrics"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
)

// useCases holds what the handlers call.
type useCases struct {
	signIn  *app.SignIn
	account *app.Account
	logout  *app.Logout
	journal *app.Journal
}

func newUseCases(
	cfg Config, k *wiring.Kit, words *passwords, ring *signing.Ring, applications *appcache.Cache, back *app.Backchannel,
) (*useCases, error) {
	sealer, err := k.Sealer(cfg.Encryption)
	if err != nil {
		return nil, err
	}

	journal, err := newJournal(cfg, k)
	if err != nil {
		return nil, err
	}

	flows := grantstore.NewForSession(k.DB).Sealing(sealer)
	people, reader, writer := directorystore.NewPeople(k.DB), sessionstore.New(k.DB), sqlstore.New(k.DB)
	prover := newProver(cfg, k, words, journal)
	browsers := &app.Browsers{
		Sessions:     reader,
		Renewals:     writer,
		Flows:        flows,
		People:       people,
		Backchannel:  back,
		Idle:         cfg.Sessions.Idle,
		Lifetime:     cfg.Sessions.Lifetime,
		CookieSecret: cfg.Encryption.Derive("next-cookies"),
		Now:          k.Now,
		Random:       k.Random,
	}

	return &useCases{
		signIn: &app.SignIn{
			Browsers:     browsers,
			Prover:       prover,
			Journal:      journal,
			Flows:        flows,
			Entrances:    flows,
			Choices:      writer,
			Sessions:     reader,
			People:       people,
			Applications: applications,
			Starts:       k.Starts(cfg.Limits, cfg.Encryption),
			Issuer:       cfg.Server.Issuer(),
			Now:          k.Now,
			Random:       k.Random,
		},
		account: &app.Account{
			Browsers:    browsers,
			Prover:      prover,
			Journal:     journal,
			Sessions:    reader,
			Access:      writer,
			Backchannel: back,
			Now:         k.Now,
		},
		logout: &app.Logout{
			Browsers:     browsers,
			Journal:      journal,
			People:       people,
			Applications: applications,
			Hints:        ring.Hints(),
			Issuer:       cfg.Server.Issuer(),
		},
		journal: journal,
	}, nil
}

// newJournal builds the audit trail, on which sign-ins are counted.
func newJournal(cfg Config, k *wiring.Kit) (*app.Journal, error) {
	events := k.Trail()
	trail, err := metrics.NewSignIns(k.MeterProvider, events)
	if err != nil {
		return nil, err
	}

	return &app.Journal{
		Trail:        trail,
		Refusals:     refusals.New(audit.FormRefused, events, k.Logger, k.Now),
		PseudonymKey: cfg.Encryption.Derive(audit.PseudonymLabel),
		Logger:       k.Logger,
	}, nil
}

func newProver(cfg Config, k *wiring.Kit, words *passwords, journal *app.Journal) *app.Prover {
	return &app.Prover{
		Credentials:  directorystore.NewPeople(k.DB),
		Passwords:    words,
		Limits:       limitstore.New(k.DB),
		Journal:      journal,
		Guesses:      cfg.Limits.Rule(cfg.Limits.SignIn),
		LimitSecret:  cfg.Encryption.Derive("limits"),
		DeviceSecret: cfg.Encryption.Derive("device-cookie"),
		Now:          k.Now,
		Random:       k.Random,
	}
}
