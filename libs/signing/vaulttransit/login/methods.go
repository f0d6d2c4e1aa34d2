package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
	"github.com/hashicorp/vault/api/auth/kubernetes"
)

// maxFile bounds what is read of a file with a credential, in bytes.
const maxFile = 16 << 10

// Secret is a credential that was given, or the file that holds it, which is read
// again at each login.
type Secret struct{ Value, File string }

func (s Secret) read() (string, error) {
	if s.File == "" {
		return s.Value, nil
	}

	file, err := os.Open(s.File)
	if err != nil {
		return "", err
	}

	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return "", err
	}

	value := strings.TrimSpace(string(content))
	if value == "" {
		return "", fmt.Errorf("%s is empty", s.File)
	}

	return value, nil
}

// Token is a method that uses a token which somebody else has got. One in a file is
// read again when it changes.
func Token(token Secret) api.AuthMethod { return tokenMethod{token} }

type tokenMethod struct{ token Secret }

// Login looks the token up, for nobody else says how long it lives, with a client
// of its own: a bad token must not take the place of a good one.
func (m tokenMethod) Login(ctx context.Context, client *api.Client) (*api.Secret, error) {
	token, err := m.token.read()
	if err != nil {
		return nil, fmt.Errorf("read the Vault token: %w", err)
	}

	own, err := client.CloneWithHeaders()
	if err != nil {
		return nil, err
	}

	own.SetToken(token)
	found, err := own.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return nil, err
	}

	ttl, err := number(found.Data["ttl"])
	if err != nil || (ttl == 0 && found.Data["expire_time"] != nil) {
		return nil, errors.New("the token ends this moment")
	}

	renewable, _ := found.Data["renewable"].(bool)
	return &api.Secret{Auth: &api.SecretAuth{ClientToken: token, LeaseDuration: int(ttl), Renewable: renewable}}, nil
}

// changed reports whether the file has another token than that in use.
func (m tokenMethod) changed(inUse string) bool {
	token, err := m.token.read()
	return m.token.File != "" && err == nil && token != inUse
}

func number(v any) (int64, error) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, errors.New("not a number")
	}
	return n.Int64()
}

// AppRole is a method that logs in at auth/MOUNT/login with a role id and a secret
// id.
func AppRole(mount, roleID string, secretID Secret) api.AuthMethod {
	return method(func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		id, err := secretID.read()
		if err != nil {
			return nil, fmt.Errorf("read the secret id: %w", err)
		}

		auth, err := approle.NewAppRoleAuth(roleID, &approle.SecretID{FromString: id}, approle.WithMountPath(mount))
		if err != nil {
			return nil, err
		}
		return auth.Login(ctx, client)
	})
}

// Kubernetes is a method that logs in at auth/MOUNT/login with the token of the
// pod's service account, which the kubelet replaces from time to time.
func Kubernetes(mount, role, tokenFile string) api.AuthMethod {
	return method(func(ctx context.Context, client *api.Client) (*api.Secret, error) {
		jwt, err := Secret{File: tokenFile}.read()
		if err != nil {
			return nil, fmt.Errorf("read the service account's token: %w", err)
		}

		auth, err := kubernetes.NewKubernetesAuth(role, kubernetes.WithMountPath(mount),
			kubernetes.WithServiceAccountToken(jwt))
		if err != nil {
			return nil, err
		}
		return auth.Login(ctx, client)
	})
}

type method func(ctx context.Context, client *api.Client) (*api.Secret, error)

// Login implements api.AuthMethod.
func (m method) Login(ctx context.Context, client *api.Client) (*api.Secret, error) {
	return m(ctx, client)
}

// expiry is when a token ends, zero for never.
func expiry(secret *api.Secret, now time.Time) time.Time {
	if secret.Auth.LeaseDuration == 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(secret.Auth.LeaseDuration) * time.Second)
}
