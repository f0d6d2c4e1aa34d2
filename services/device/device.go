package device

import (
	"context"
	"errors"
	"fmt"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/device/internal/adapters/httpapi"
	"github.com/platform-oauth/platform-oauth/services/device/internal/app"
)

const name = "device"

// Config is the service's configuration.
type Config struct {
	Server   servicekit.Server
	Database servicekit.Database
	Sessions servicekit.Sessions
	Tokens   servicekit.Tokens
}

// Deps is what the service is given.
type Deps = servicekit.Deps

// New builds the service.
func New(cfg Config, deps Deps) (*servicekit.Service, error) {
	if deps.DB == nil || deps.Logger == nil || deps.Now == nil || deps.Random == nil {
		return nil, errors.New("device: DB, Logger, Now and Random are needed")
	}
	ui, err := webui.New()
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	rows := grantstore.NewForDevice(deps.DB)
	usecases := &app.Device{Config: app.Config{
		Applications: appcache.New(directorystore.NewApplicationsWithSecrets(deps.DB), appcache.Options{Now: deps.Now}),
		People:       directorystore.NewPeople(deps.DB),
		Sessions:     sessionstore.New(deps.DB),
		Codes:        rows,
		SignIns:      rows,
		SessionIdle:  cfg.Sessions.Idle,
		CodeTTL:      cfg.Tokens.DeviceCodeTTL,
		Now:          deps.Now,
		Random:       deps.Random,
		Logger:       deps.Logger,
	}}
	edge, err := httpapi.New(usecases, cookie.Jar{Secure: cfg.Server.Secure()}, cfg.Server.Origin(), ui)
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	handler, err := httpkit.NewHandler(httpkit.Options{
		Service: name, Routes: api.For(name), Handlers: edge.Handlers(),
		TrustedProxies: cfg.Server.TrustedProxies, MaxBody: cfg.Server.HTTP.MaxBody, Deadline: cfg.Server.HTTP.RequestDeadline,
		Secure: cfg.Server.Secure(), Logger: deps.Logger, TracerProvider: deps.TracerProvider, MeterProvider: deps.MeterProvider,
		ErrorPage: ui.ErrorPage,
	})
	if err != nil {
		return nil, fmt.Errorf("device: %w", err)
	}
	return &servicekit.Service{
		Handler: handler,
		Run:     func(ctx context.Context) error { return usecases.Sweep(ctx) },
		Ready:   deps.DB.CheckSchema,
	}, nil
}
