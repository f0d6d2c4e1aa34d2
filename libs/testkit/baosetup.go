package testkit

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit/apt"
)

// BaoSetup says how to prepare a server. The zero value is the services' defaults, without
// Kubernetes.
type BaoSetup struct {
	TransitMount string      // transit by default
	KeyPrefix    string      // platform by default
	Kubernetes   *Kubernetes // the cluster whose service accounts may log in
}

// BaoLogins holds the credentials with which services log in to a prepared server.
type BaoLogins struct {
	server *BaoServer
	prefix string
	dir    string
}

// SetUp prepares the server with deployments/vault/setup.sh, as an operator does. The
// script makes the transit engine, and a policy and roles for each service.
func (s *BaoServer) SetUp(t testing.TB, setup BaoSetup) *BaoLogins {
	t.Helper()
	root, err := repositoryRoot()
	require.NoError(t, err)

	if _, err := exec.LookPath("curl"); err != nil {
		require.NoError(t, apt.Install("curl", "curl"))
	}

	logins := &BaoLogins{server: s, prefix: cmp.Or(setup.KeyPrefix, "platform"), dir: t.TempDir()}
	script := filepath.Join(root, "deployments", "vault", "setup.sh")
	cmd := exec.CommandContext(t.Context(), script, "--credentials", logins.dir) //nolint:gosec // ours
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "VAULT_CLI=curl", "VAULT_ADDR=" + s.Addr, "VAULT_TOKEN=" + s.RootToken,
		"PLATFORM_VAULT_TRANSIT_MOUNT=" + cmp.Or(setup.TransitMount, "transit"),
		"PLATFORM_VAULT_KEY_PREFIX=" + logins.prefix,
	}
	if k := setup.Kubernetes; k != nil {
		cmd.Env = append(cmd.Env, "KUBERNETES_HOST="+k.URL, "KUBERNETES_CA_FILE="+k.caFile,
			"KUBERNETES_REVIEWER_FILE="+k.reviewerFile)
	}

	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "setup.sh: %s", out)
	return logins
}

// AppRole returns the role id, which is the role's name, and the secret id with which the
// service (keys, token, session, or up for all of them) logs in.
func (l *BaoLogins) AppRole(t testing.TB, service string) (roleID, secretID string) {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(l.dir, service+".secret-id")) //nolint:gosec // a file of ours
	require.NoError(t, err)
	return l.prefix + "-" + service, strings.TrimSpace(string(secret))
}

// Token logs the service in and returns its token.
func (l *BaoLogins) Token(t testing.TB, service string) string {
	t.Helper()
	roleID, secretID := l.AppRole(t, service)
	secret, err := l.server.Client(t, "").Logical().WriteWithContext(t.Context(), "auth/approle/login",
		map[string]any{"role_id": roleID, "secret_id": secretID})
	require.NoError(t, err)
	return secret.Auth.ClientToken
}
