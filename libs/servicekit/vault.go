package servicekit

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/hashicorp/vault/api"

	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"
	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit/login"
)

// relations returns the rules for a process that signs with Vault.
func (v *Vault) relations() []relation {
	list := []relation{{
		[]string{"VAULT_ADDR", "PLATFORM_SIGNING_BACKEND"},
		v.Address == "",
		"missing; set it to Vault's address, for example to https://vault.example.com:8200",
	}}

	one := func(value, file string, given, fileGiven bool) relation {
		message := "missing; PLATFORM_VAULT_AUTH=" + v.Auth + " needs it, or " + file
		if given {
			message = "is set, and so is " + file + "; keep one of them"
		}
		return relation{[]string{value, file, "PLATFORM_VAULT_AUTH"}, given == fileGiven, message}
	}
	switch v.Auth {
	case "token":
		list = append(list, one("VAULT_TOKEN", "PLATFORM_VAULT_TOKEN_FILE", v.Token != "", v.TokenFile != ""))
	case "approle":
		list = append(list,
			one("PLATFORM_VAULT_SECRET_ID", "PLATFORM_VAULT_SECRET_ID_FILE", v.SecretID != "", v.SecretIDFile != ""))
	}

	return append(list, relation{
		[]string{"PLATFORM_VAULT_ROLE", "PLATFORM_VAULT_AUTH"},
		v.Auth != "token" && v.Role == "",
		"missing; PLATFORM_VAULT_AUTH=" + v.Auth + " needs the name of a role",
	})
}

var (
	vaultPath   = regexp.MustCompile(`^([A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*)?$`)
	transitName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)
)

func checkVaultPath(raw string) string {
	if !vaultPath.MatchString(raw) {
		return fmt.Sprintf("%q is not the path of a mount; write it without slashes at its ends", raw)
	}
	return ""
}

func checkTransitName(raw string) string {
	if !transitName.MatchString(raw) {
		return fmt.Sprintf("%q cannot begin the name of a transit key; use letters, digits, hyphens and dots", raw)
	}
	return ""
}

// openVault creates the engine and its login, which the returned Service maintains. Vault may
// be down: until it is up, the process isn't ready.
func openVault(ctx context.Context, cfg Vault, deps Deps) (*Keys, error) {
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
func VaultClient(cfg Vault, deps Deps) (*api.Client, api.AuthMethod, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, nil, fmt.Errorf("VAULT_…: %w", config.Error)
	}

	config.Address = cfg.Address

	if cfg.CACert != "" {
		if err := config.ConfigureTLS(&api.TLSConfig{CACert: cfg.CACert}); err != nil {
			return nil, nil, fmt.Errorf("VAULT_CACERT: %w", err)
		}
	}

	client, err := vaulttransit.NewClient(vaulttransit.ClientOptions{
		Config:         config,
		Namespace:      cfg.Namespace,
		Connections:    cfg.RSASlots + cfg.ECSlots + 2,
		TracerProvider: deps.TracerProvider,
		MeterProvider:  deps.MeterProvider,
	})
	if err != nil {
		return nil, nil, err
	}

	method, err := cfg.method()
	return client, method, err
}

// method returns the login method.
func (v Vault) method() (api.AuthMethod, error) {
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
		return nil, errors.New("PLATFORM_VAULT_AUTH: no such way to log in")
	}
}
