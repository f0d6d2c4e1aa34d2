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

// maxFile bounds how much of a credential file is read, in bytes.
const maxFile = 16 << 10

// Secret is a credential, either given directly or in a file that is read again at each login.
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

// Token returns a method that uses an existing token. A token in a file is read again when the
// file changes.
func Token(token Secret) api.AuthMethod { return tokenMethod{token} }

type tokenMethod struct{ token Secret }

// Login looks the token up to learn its lifetime. It uses a separate client, so that a bad
// token can't replace a good one.
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
		return nil, errors.New("the token has just expired")
	}

	renewable, _ := found.Data["renewable"].(bool)
	return &api.Secret{Auth: &api.SecretAuth{ClientToken: token, LeaseDuration: int(ttl), Renewable: renewable}}, nil
}

// changed reports whether the file has a token other than the one in use.
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

// AppRole returns a method that logs in at auth/MOUNT/login with a role id and a secret id.
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

// Kubernetes returns a method that logs in at auth/MOUNT/login with the token of the pod's
// service account, which the kubelet replaces from time to time.
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

// expiry returns when a token expires, or zero for never.
func expiry(secret *api.Secret, now time.Time) time.Time {
	if secret.Auth.LeaseDuration == 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(secret.Auth.LeaseDuration) * time.Second)
}
