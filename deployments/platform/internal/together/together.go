package together

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/services/authorize"
	"github.com/platform-oauth/platform-oauth/services/device"
	"github.com/platform-oauth/platform-oauth/services/keys"
	"github.com/platform-oauth/platform-oauth/services/session"
	"github.com/platform-oauth/platform-oauth/services/token"
)

// Config is the configuration of all five services; each takes its own sections.
type Config struct {
	Server     config.Server
	Database   config.Database
	Signing    config.Signing
	Encryption config.Encryption
	Outbound   config.Outbound
	Sessions   config.Sessions
	Tokens     config.Tokens
	Limits     config.Limits
	Audit      config.Audit
}

// Platform holds the five services behind one handler.
type Platform struct {
	Services map[string]*servicekit.Service // by name
	Handler  http.Handler
}

// New builds the five services on one set of dependencies. Only the keys service can make
// keys. Only keys, token and session (for back-channel logout tokens) can sign.
func New(cfg Config, deps servicekit.Deps) (*Platform, error) {
	verifying := deps
	verifying.Signing, verifying.KeyMaker = nil, nil
	signing := deps
	signing.KeyMaker = nil

	p := &Platform{Services: map[string]*servicekit.Service{}}
	handlers := map[string]http.Handler{}
	var failed []error
	add := func(name string, deps servicekit.Deps, build func(servicekit.Deps) (*servicekit.Service, error)) {
		deps.Logger = deps.Logger.With("service", name)
		service, err := build(deps)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			return
		}

		p.Services[name], handlers[name] = service, service.Handler
	}

	add("keys", deps, func(deps servicekit.Deps) (*servicekit.Service, error) {
		return keys.New(keys.Config{
			Server:   cfg.Server,
			Database: cfg.Database,
			Signing:  cfg.Signing,
			Tokens:   cfg.Tokens,
			Sessions: cfg.Sessions,
			Audit:    cfg.Audit,
		}, deps)
	})

	add("authorize", verifying, func(deps servicekit.Deps) (*servicekit.Service, error) {
		return authorize.New(authorize.Config{
			Server:     cfg.Server,
			Database:   cfg.Database,
			Sessions:   cfg.Sessions,
			Tokens:     cfg.Tokens,
			Limits:     cfg.Limits,
			Encryption: cfg.Encryption,
		}, deps)
	})

	add("session", signing, func(deps servicekit.Deps) (*servicekit.Service, error) {
		return session.New(session.Config{
			Server:     cfg.Server,
			Database:   cfg.Database,
			Signing:    cfg.Signing,
			Sessions:   cfg.Sessions,
			Limits:     cfg.Limits,
			Encryption: cfg.Encryption,
			Outbound:   cfg.Outbound,
		}, deps)
	})

	add("token", signing, func(deps servicekit.Deps) (*servicekit.Service, error) {
		return token.New(token.Config{
			Server:     cfg.Server,
			Database:   cfg.Database,
			Signing:    cfg.Signing,
			Tokens:     cfg.Tokens,
			Limits:     cfg.Limits,
			Encryption: cfg.Encryption,
			Outbound:   cfg.Outbound,
			Audit:      cfg.Audit,
		}, deps)
	})

	add("device", verifying, func(deps servicekit.Deps) (*servicekit.Service, error) {
		return device.New(device.Config{
			Server:     cfg.Server,
			Database:   cfg.Database,
			Sessions:   cfg.Sessions,
			Tokens:     cfg.Tokens,
			Limits:     cfg.Limits,
			Encryption: cfg.Encryption,
			Outbound:   cfg.Outbound,
		}, deps)
	})

	if len(failed) > 0 {
		return nil, errors.Join(failed...)
	}

	var err error
	// The session service, which has most of the pages, answers paths that no service owns:
	// a person who mistypes an address sees a page, and a program gets JSON.
	p.Handler, err = api.Mux(handlers, handlers["session"])
	return p, err
}

// WaitReady returns when every service is ready, or with the context's error.
func (p *Platform) WaitReady(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()

	for {
		var waiting error
		for name, service := range p.Services {
			if service.Ready == nil {
				continue
			}
			if err := service.Ready(ctx); err != nil {
				waiting = fmt.Errorf("%s: %w", name, err)
			}
		}

		if waiting == nil {
			return nil
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("the services did not become ready: %w", waiting)
		case <-tick.C:
		}
	}
}
