package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/ending"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/libs/wiring"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/httpapi"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
)

// keepExpired is how long a session's row is kept after the session expired. Grants look at
// the row while their last tokens are alive.
const keepExpired = 7 * 24 * time.Hour

// Config is the service's configuration. Signing is used to sign logout tokens, with the
// algorithm of ID tokens, and to verify hints.
type Config struct {
	Server   config.Server
	Database config.Database
	Sessions config.Sessions
	Signing  config.Signing
	Outbound config.Outbound
	Limits   config.Limits
	// Encryption provides the keys for sealed flows, for device cookies, and for the
	// identifiers under which failures are counted.
	Encryption config.Encryption
}

// Deps holds the service's dependencies. Signing is required; KeyMaker isn't used.
type Deps = servicekit.Deps

// New builds the service. It does no I/O and doesn't listen.
func New(cfg Config, deps Deps) (*servicekit.Service, error) {
	hasher, err := password.New(password.Options{Random: deps.Random})
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return build(cfg, deps, hasher)
}

// build is like New but takes the hasher, so that tests can count its work.
func build(cfg Config, deps Deps, hasher *password.Hasher) (*servicekit.Service, error) {
	return wiring.Build("session", deps, func(k *wiring.Kit) (*servicekit.Service, error) {
		return wire(cfg, k, hasher)
	})
}

func wire(cfg Config, k *wiring.Kit, hasher *password.Hasher) (*servicekit.Service, error) {
	ring, err := k.Signer(cfg.Signing)
	if err != nil {
		return nil, err
	}

	if cfg.Limits.Flows < 1 || cfg.Limits.Window <= 0 {
		return nil, errors.New("configuration missing: Limits are needed")
	}

	words := &passwords{
		Hasher: hasher,
		read:   directorystore.NewPeople(k.DB).PasswordCosts,
		logger: k.Logger,
	}

	applications := k.Applications(directorystore.NewApplications(k.DB))
	back, err := newBackchannel(cfg, k, applications, ring)
	if err != nil {
		return nil, err
	}

	cases, err := newUseCases(cfg, k, words, ring, applications, back)
	if err != nil {
		return nil, err
	}

	handler, err := newHandler(cfg.Server, k, cases)
	if err != nil {
		return nil, err
	}

	return &servicekit.Service{
		Handler: handler,
		Run:     wiring.Together(ring.Run, back.Run, sweep(k)),
	}, nil
}

func newHandler(server config.Server, k *wiring.Kit, cases *useCases) (http.Handler, error) {
	ui, err := webui.New()
	if err != nil {
		return nil, err
	}

	told := k.Refusals(audit.ErrorShown)
	handlers, err := httpapi.New(httpapi.Options{
		SignIn:  cases.signIn,
		Account: cases.account,
		Logout:  cases.logout,
		Journal: cases.journal,
		UI:      ui,
		Jar:     cookie.Jar{Secure: server.Secure()},
		Random:  k.Random,
		Shown:   told.Shown,
	})
	if err != nil {
		return nil, err
	}

	options := servicekit.Edge(k.Name, server, k.Deps)
	options.Handlers, options.ErrorPage = handlers, told.Page(ui.ErrorPage)
	return httpkit.NewHandler(options)
}

// sweep returns the task that removes what has expired, and finishes what was ended.
func sweep(k *wiring.Kit) wiring.Task {
	rows := sqlstore.New(k.DB)
	return wiring.Together(
		k.Sweep("sessions", func(ctx context.Context, now time.Time, batch int) (int, error) {
			return rows.DeleteExpired(ctx, now.Add(-keepExpired), batch)
		}),
		k.Sweep("access that was ended", func(ctx context.Context, now time.Time, batch int) (int, error) {
			return ending.FinishSome(ctx, k.DB, now, batch)
		}),
		k.Sweep("limits", limitstore.New(k.DB).DeleteExpired),
		k.Sweep("undelivered logouts", rows.DeleteUndelivered),
	)
}
