package testkit_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestOpenBaoKeepsItsKeysOverACrashAndComesUpSealed(t *testing.T) {
	server := testkit.OpenBao(t)
	server.SetUp(t, testkit.BaoSetup{})
	client := server.Client(t, server.RootToken)
	_, err := client.Logical().WriteWithContext(t.Context(), "transit/keys/platform-es256",
		map[string]any{"type": "ecdsa-p256"})
	require.NoError(t, err)
	before := publicKey(t, client)

	server.Kill(t)
	_, err = client.Sys().HealthWithContext(t.Context())
	require.Error(t, err)
	server.Start(t)
	health, err := client.Sys().HealthWithContext(t.Context())
	require.NoError(t, err)
	require.True(t, health.Sealed)
	_, err = client.Logical().ReadWithContext(t.Context(), "transit/keys/platform-es256")
	requireStatus(t, http.StatusServiceUnavailable, err)

	server.Unseal(t)
	require.Equal(t, before, publicKey(t, client))
	server.Seal(t)
	_, err = client.Logical().ReadWithContext(t.Context(), "transit/keys/platform-es256")
	requireStatus(t, http.StatusServiceUnavailable, err)
	server.Stop(t)
	server.Start(t)
	server.Unseal(t)
	server.Restart(t)
	require.Equal(t, before, publicKey(t, client))
}

func TestAPausedOpenBaoAnswersAfterwards(t *testing.T) {
	server := testkit.OpenBao(t)
	client := server.Client(t, "")
	server.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client.Sys().HealthWithContext(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	server.Resume(t)
	_, err = client.Sys().HealthWithContext(t.Context())
	require.NoError(t, err)
}

func TestServicesLogInByAppRole(t *testing.T) {
	server := testkit.OpenBao(t)
	logins := server.SetUp(t, testkit.BaoSetup{TransitMount: "signing", KeyPrefix: "acme"})
	for service, policies := range map[string][]any{
		"keys":    {"acme-keys"},
		"token":   {"acme-token"},
		"session": {"acme-session"},
		"up":      {"acme-keys", "acme-session", "acme-token"},
	} {
		self, err := server.Client(t, logins.Token(t, service)).Auth().Token().LookupSelfWithContext(t.Context())
		require.NoError(t, err)
		require.Equal(t, policies, self.Data["policies"])
	}
}

func TestServicesLogInByTheirServiceAccount(t *testing.T) {
	server, cluster := testkit.OpenBao(t), testkit.NewKubernetes(t)
	server.SetUp(t, testkit.BaoSetup{Kubernetes: cluster})
	login := func(token string) (*api.Secret, error) {
		return server.Client(t, "").Logical().WriteWithContext(t.Context(), "auth/kubernetes/login",
			map[string]any{"role": "platform-token", "jwt": token})
	}
	good := cluster.Token(t, "platform", "platform-oauth-token", "vault")
	secret, err := login(good)
	require.NoError(t, err)
	require.Equal(t, []string{"platform-token"}, secret.Auth.Policies)
	require.True(t, secret.Auth.Renewable)

	for name, token := range map[string]string{
		"another service":   cluster.Token(t, "platform", "platform-oauth-device", "vault"),
		"another namespace": cluster.Token(t, "default", "platform-oauth-token", "vault"),
		"another audience":  cluster.Token(t, "platform", "platform-oauth-token", "https://kubernetes.default.svc"),
	} {
		_, err := login(token)
		requireStatus(t, http.StatusForbidden, err, name)
	}

	cluster.Forget(good)
	_, err = login(good)
	requireStatus(t, http.StatusForbidden, err)
}

func TestAMissingOpenBaoIsNamedWithTheRemedy(t *testing.T) {
	_, err := testkit.OpenBaoBinary(filepath.Join(t.TempDir(), "absent"))
	require.ErrorContains(t, err, "make bin/openbao")
	require.ErrorContains(t, err, testkit.OpenBaoVariable)
	found, err := testkit.OpenBaoBinary("")
	require.NoError(t, err)
	require.Equal(t, filepath.Join("bin", "openbao"),
		filepath.Join(filepath.Base(filepath.Dir(found)), filepath.Base(found)))
}

func TestOpenBaoThatCannotServeSaysWhy(t *testing.T) {
	program, err := testkit.OpenBaoBinary(os.Getenv(testkit.OpenBaoVariable))
	require.NoError(t, err)
	require.ErrorContains(t, testkit.StartBao(program, "http://192.0.2.1:1", t.TempDir()), "192.0.2.1")
}

func publicKey(t *testing.T, client *api.Client) any {
	t.Helper()
	secret, err := client.Logical().ReadWithContext(t.Context(), "transit/keys/platform-es256")
	require.NoError(t, err)
	return secret.Data["keys"]
}

func requireStatus(t *testing.T, status int, err error, about ...any) {
	t.Helper()
	var answer *api.ResponseError
	require.True(t, errors.As(err, &answer), "%v %v", about, err)
	require.Equal(t, status, answer.StatusCode, "%v %v", about, err)
}
