package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/openbao/openbao/builtin/credential/approle"
	kubeauth "github.com/openbao/openbao/builtin/credential/kubernetes"
	"github.com/openbao/openbao/builtin/logical/transit"
	"github.com/openbao/openbao/helper/namespace"
	baohttp "github.com/openbao/openbao/http"
	"github.com/openbao/openbao/internalshared/configutil"
	"github.com/openbao/openbao/sdk/v2/helper/consts"
	"github.com/openbao/openbao/sdk/v2/logical"
	"github.com/openbao/openbao/sdk/v2/physical"
	"github.com/openbao/openbao/sdk/v2/physical/file"
	"github.com/openbao/openbao/sdk/v2/physical/inmem"
	"github.com/openbao/openbao/vault"
)

type options struct {
	listen, dir, rootToken, logLevel string
}

// started is the line that says where the server is. It has keys and a token only for a
// newly created server; a caller that restarts one has them already.
type started struct {
	Address    string   `json:"address"`
	Sealed     bool     `json:"sealed"`
	RootToken  string   `json:"root_token,omitempty"`
	UnsealKeys []string `json:"unseal_keys,omitempty"` // hexadecimal
}

type server struct {
	started started
	core    *vault.Core
	http    *http.Server
}

func start(ctx context.Context, o options) (*server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return nil, err
	}

	s := &server{started: started{Address: "http://" + listener.Addr().String()}}
	if s.core, err = newCore(o, s.started.Address); err != nil {
		return nil, errors.Join(err, listener.Close())
	}

	ctx = namespace.RootContext(ctx)
	if err := s.initialize(ctx, o.rootToken); err != nil {
		return nil, errors.Join(err, s.core.Shutdown(), listener.Close())
	}

	s.http = &http.Server{
		Handler: baohttp.Handler.Handler(&vault.HandlerProperties{
			Core:           s.core,
			ListenerConfig: &configutil.Listener{Address: listener.Addr().String(), TLSDisable: true},
		}),
		ReadHeaderTimeout: 10 * time.Second,
	}

	go func() { _ = s.http.Serve(listener) }()
	return s, nil
}

func newCore(o options, address string) (*vault.Core, error) {
	logger := hclog.New(&hclog.LoggerOptions{
		Name:   "openbao",
		Level:  hclog.LevelFromString(o.logLevel),
		Output: os.Stderr,
	})
	storage, err := newStorage(o.dir, logger)
	if err != nil {
		return nil, err
	}

	return vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		RedirectAddr:       address,
		Logger:             logger,
		LogicalBackends:    map[string]logical.Factory{"transit": transit.Factory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory, "kubernetes": kubeauth.Factory},
		BuiltinRegistry:    noPlugins{},
	})
}

func newStorage(dir string, logger hclog.Logger) (physical.Backend, error) {
	if dir == "" {
		return inmem.NewInmem(nil, logger)
	}
	return file.NewFileBackend(map[string]string{"path": dir}, logger)
}

// initialize makes a new server usable. It leaves an existing one sealed.
func (s *server) initialize(ctx context.Context, rootToken string) error {
	known, err := s.core.Initialized(ctx)
	if err != nil {
		return err
	}

	if known {
		s.started.Sealed = true
		return nil
	}

	made, err := s.core.Initialize(ctx, &vault.InitParams{
		BarrierConfig: &vault.SealConfig{SecretShares: 1, SecretThreshold: 1, StoredShares: 1},
	})
	if err != nil {
		return fmt.Errorf("initialize: %w", err)
	}

	for _, key := range made.SecretShares {
		s.started.UnsealKeys = append(s.started.UnsealKeys, hex.EncodeToString(key))
	}

	if open, err := s.core.Unseal(made.SecretShares[0]); err != nil || !open {
		return fmt.Errorf("unseal: open %t: %w", open, err)
	}

	s.started.RootToken = made.RootToken

	if rootToken != "" {
		return s.nameRootToken(ctx, rootToken)
	}

	return nil
}

// nameRootToken creates a root token with the requested value.
func (s *server) nameRootToken(ctx context.Context, token string) error {
	_, err := s.core.HandleRequest(ctx, &logical.Request{
		Operation:   logical.UpdateOperation,
		Path:        "auth/token/create",
		ClientToken: s.started.RootToken,
		Data: map[string]any{
			"id":                token,
			"policies":          []string{"root"},
			"no_parent":         true,
			"no_default_policy": true,
		},
	})
	if err != nil {
		return fmt.Errorf("root token: %w", err)
	}

	s.started.RootToken = token
	return nil
}

func (s *server) close() error {
	return errors.Join(s.http.Close(), s.core.Shutdown())
}

// noPlugins is a plugin catalogue without entries, because everything the server can do is
// linked in.
type noPlugins struct{}

func (noPlugins) Get(string, consts.PluginType) (func() (any, error), bool) { return nil, false }
func (noPlugins) Contains(string, consts.PluginType) bool                   { return false }
func (noPlugins) Keys(consts.PluginType) []string                           { return nil }
func (noPlugins) DeprecationStatus(string, consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Unknown, false
}
