package servicekit

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/vault/api"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"
	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit/login"
)

// openVault creates the engine and its login, which the returned Service maintains. Vault may
// be down: until it is up, the process isn't ready.
func openVault(ctx context.Context, cfg config.Vault, deps Deps) (*Keys, error) {
	client, method, err := VaultClient(cfg, deps)
	if err != nil {
		return nil, err
	}

	session, err := login.New(client, method, deps.Logger)
	if err != nil {
		return nil, err
	}

	session.Begin(ctx)
	engine, err := vaulttransit.New(vaulttransit.Options{
		Client:         client,
		Session:        session,
		Mount:          cfg.TransitMount,
		Prefix:         cfg.KeyPrefix,
		RSA:            vaulttransit.Limits{Batch: cfg.RSABatch, Slots: cfg.RSASlots},
		EC:             vaulttransit.Limits{Batch: cfg.ECBatch, Slots: cfg.ECSlots},
		Queue:          cfg.Queue,
		Timeout:        cfg.Timeout,
		Logger:         deps.Logger,
		TracerProvider: deps.TracerProvider,
		MeterProvider:  deps.MeterProvider,
	})
	if err != nil {
		return nil, err
	}

	return &Keys{
		Backend: engine,
		Maker:   engine,
		Service: &Service{Run: session.Run, Ready: engine.Check},
		Close:   engine.Close,
	}, nil
}

// VaultClient returns a client for the configuration, which has no token yet and no timeout of
// its own, and its login method.
func VaultClient(cfg config.Vault, deps Deps) (*api.Client, api.AuthMethod, error) {
	settings := api.DefaultConfig()
	if settings.Error != nil {
		return nil, nil, fmt.Errorf("VAULT_…: %w", settings.Error)
	}

	settings.Address = cfg.Address

	if cfg.CACert != "" {
		if err := settings.ConfigureTLS(&api.TLSConfig{CACert: cfg.CACert}); err != nil {
			return nil, nil, fmt.Errorf("VAULT_CACERT: %w", err)
		}
	}

	client, err := vaulttransit.NewClient(vaulttransit.ClientOptions{
		Config:         settings,
		Namespace:      cfg.Namespace,
		Connections:    cfg.RSASlots + cfg.ECSlots + 2,
		TracerProvider: deps.TracerProvider,
		MeterProvider:  deps.MeterProvider,
	})
	if err != nil {
		return nil, nil, err
	}

	login, err := loginMethod(cfg)
	return client, login, err
}

// loginMethod returns the login method.
func loginMethod(v config.Vault) (api.AuthMethod, error) {
	mount := v.AuthMount
	if mount == "" {
		mount = v.Auth
	}

	switch v.Auth {
	case "token":
		return login.Token(login.Secret{Value: v.Token, File: v.TokenFile}), nil
	case "approle":
		return login.AppRole(mount, v.Role, login.Secret{Value: v.SecretID, File: v.SecretIDFile}), nil
	case "kubernetes":
		return login.Kubernetes(mount, v.Role, v.JWTFile), nil
	default:
		return nil, errors.New("PLATFORM_VAULT_AUTH: unknown login method")
	}
}
