package together

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/services/authorize"
	"github.com/platform-oauth/platform-oauth/services/device"
	"github.com/platform-oauth/platform-oauth/services/keys"
	"github.com/platform-oauth/platform-oauth/services/session"
	"github.com/platform-oauth/platform-oauth/services/token"
)

// Config is the configuration of all five services: each takes its sections.
type Config struct {
	Server   servicekit.Server
	Database servicekit.Database
	Signing  servicekit.Signing
	Sessions servicekit.Sessions
	Tokens   servicekit.Tokens
}

// Platform is the five services behind one handler.
type Platform struct {
	Services map[string]*servicekit.Service // by name
	Handler  http.Handler
}

// New builds the five services on one set of dependencies. Only the keys service
// is given the means to make keys, and only it and token those to sign.
func New(cfg Config, deps servicekit.Deps) (*Platform, error) {
	verifying := deps
	verifying.Signing, verifying.KeyMaker = nil, nil
	signing := deps
	signing.KeyMaker = nil

	p := &Platform{Services: map[string]*servicekit.Service{}}
	handlers := map[string]http.Handler{}
	add := func(name string, service *servicekit.Service, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		p.Services[name], handlers[name] = service, service.Handler
		return nil
	}
	keysService, err := keys.New(keys.Config{Server: cfg.Server, Database: cfg.Database, Signing: cfg.Signing, Tokens: cfg.Tokens}, deps)
	err = add("keys", keysService, err)
	authorizeService, err2 := authorize.New(authorize.Config{Server: cfg.Server, Database: cfg.Database, Sessions: cfg.Sessions, Tokens: cfg.Tokens}, verifying)
	err2 = add("authorize", authorizeService, err2)
	sessionService, err3 := session.New(session.Config{Server: cfg.Server, Database: cfg.Database, Signing: cfg.Signing, Sessions: cfg.Sessions}, verifying)
	err3 = add("session", sessionService, err3)
	tokenService, err4 := token.New(token.Config{Server: cfg.Server, Database: cfg.Database, Signing: cfg.Signing, Tokens: cfg.Tokens}, signing)
	err4 = add("token", tokenService, err4)
	deviceService, err5 := device.New(device.Config{Server: cfg.Server, Database: cfg.Database, Sessions: cfg.Sessions, Tokens: cfg.Tokens}, verifying)
	err5 = add("device", deviceService, err5)
	if err := errors.Join(err, err2, err3, err4, err5); err != nil {
		return nil, err
	}
	// What nobody owns is answered by any service: they all say 404 alike.
	p.Handler, err = api.Mux(handlers, keysService.Handler)
	return p, err
}

// WaitReady returns when every service is ready, or with the context's end.
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
