package vault_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestSetupMayBeRepeatedAndTouchesNoKey(t *testing.T) {
	server := testkit.OpenBao(t)
	first := server.SetUp(t, testkit.BaoSetup{})
	makeKeys(t, server)
	root := server.Client(t, server.RootToken)
	before, err := root.Logical().ReadWithContext(t.Context(), "transit/keys/platform-es256")
	require.NoError(t, err)
	token := first.Token(t, "token")
	require.NoError(t,
		root.Sys().PutPolicyWithContext(t.Context(), "platform-token", `path "*" { capabilities = ["read"] }`))
	require.NoError(t, do(t, server.Client(t, token), request{"READ", "sys/mounts", nil}))

	second := server.SetUp(t, testkit.BaoSetup{})
	after, err := root.Logical().ReadWithContext(t.Context(), "transit/keys/platform-es256")
	require.NoError(t, err)
	require.Equal(t, before.Data, after.Data)
	require.True(t, refused(do(t, server.Client(t, token), request{"READ", "sys/mounts", nil})),
		"the policy is what its file says again")
	firstRole, firstSecret := first.AppRole(t, "keys")
	secondRole, secondSecret := second.AppRole(t, "keys")
	require.Equal(t, "platform-keys", firstRole)
	require.Equal(t, firstRole, secondRole)
	require.NotEqual(t, firstSecret, secondSecret)
	require.NotEmpty(t, first.Token(t, "keys"), "a secret id that was handed out still counts")
}

func TestOnlyServicesThatNeedVaultHaveARole(t *testing.T) {
	server := testkit.OpenBao(t)
	server.SetUp(t, testkit.BaoSetup{Kubernetes: testkit.NewKubernetes(t)})
	root := server.Client(t, server.RootToken)
	for mount, services := range map[string][]any{
		"approle":    {"platform-keys", "platform-token", "platform-session", "platform-up"},
		"kubernetes": {"platform-keys", "platform-token", "platform-session"},
	} {
		roles, err := root.Logical().ListWithContext(t.Context(), "auth/"+mount+"/role")
		require.NoError(t, err)
		require.ElementsMatch(t, services, roles.Data["keys"])
		for _, role := range roles.Data["keys"].([]any) {
			secret, err := root.Logical().ReadWithContext(t.Context(), "auth/"+mount+"/role/"+role.(string))
			require.NoError(t, err)
			require.Equal(t, true, secret.Data["token_no_default_policy"], "%s %s", mount, role)
			require.Equal(t, "service", secret.Data["token_type"])
		}
	}
}

func TestSetupSaysWhatItMisses(t *testing.T) {
	server := testkit.OpenBao(t)
	environment := []string{"PATH=" + os.Getenv("PATH"), "VAULT_CLI=curl"}
	there := slices.Concat(environment, []string{"VAULT_ADDR=" + server.Addr})
	for name, c := range map[string]struct {
		env  []string
		args []string
		says string
	}{
		"no address":      {environment, nil, "Set VAULT_ADDR"},
		"no token":        {there, nil, "Set VAULT_TOKEN"},
		"a token of none": {slices.Concat(there, []string{"VAULT_TOKEN=wrong"}), nil, "sys/mounts/transit: status 403"},
		"a strange mount": {
			slices.Concat(there, []string{"VAULT_TOKEN=" + server.RootToken, "PLATFORM_VAULT_TRANSIT_MOUNT=a|b"}), nil,
			"PLATFORM_VAULT_TRANSIT_MOUNT",
		},
		"a strange flag": {there, []string{"--force"}, "Usage: setup.sh"},
		"no folder":      {there, []string{"--credentials"}, "needs a folder"},
	} {
		cmd := exec.CommandContext(t.Context(), "./setup.sh", c.args...)
		cmd.Env = c.env
		out, err := cmd.CombinedOutput()
		require.Error(t, err, name)
		require.Contains(t, string(out), c.says, name)
	}
}

// A leaked secret id expires by itself, and works only from the services' networks.
func TestSecretIDsEndAndAreBound(t *testing.T) {
	server := testkit.OpenBao(t)
	root := server.Client(t, server.RootToken)
	setUp := func(settings ...string) (dir string) {
		dir = filepath.Join(t.TempDir(), "credentials")
		cmd := exec.CommandContext(t.Context(), "./setup.sh", "--credentials", dir)
		cmd.Env = append([]string{
			"PATH=" + os.Getenv("PATH"), "VAULT_CLI=curl", "VAULT_ADDR=" + server.Addr,
			"VAULT_TOKEN=" + server.RootToken,
		}, settings...)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return dir
	}

	login := func(dir string) error {
		secret, err := os.ReadFile(filepath.Join(dir, "session.secret-id"))
		require.NoError(t, err)
		return do(t, server.Client(t, ""), request{"WRITE", "auth/approle/login", map[string]any{
			"role_id": "platform-session", "secret_id": strings.TrimSpace(string(secret)),
		}})
	}

	about := func(dir string) map[string]any {
		secret, err := os.ReadFile(filepath.Join(dir, "session.secret-id"))
		require.NoError(t, err)
		found, err := root.Logical().WriteWithContext(t.Context(),
			"auth/approle/role/platform-session/secret-id/lookup", map[string]any{
				"secret_id": strings.TrimSpace(string(secret)),
			})
		require.NoError(t, err)
		return found.Data
	}

	usual := setUp()
	require.NoError(t, login(usual))
	require.Equal(t, json.Number("2592000"), about(usual)["secret_id_ttl"], "thirty days")

	local := setUp("APPROLE_SECRET_ID_TTL=24h", "APPROLE_CIDRS=127.0.0.0/8,::1/128")
	require.NoError(t, login(local))
	require.Equal(t, json.Number("86400"), about(local)["secret_id_ttl"])

	require.Error(t, login(setUp("APPROLE_CIDRS=10.1.0.0/16")), "from another network")

	for _, wrong := range []string{
		"APPROLE_SECRET_ID_TTL=0", "APPROLE_SECRET_ID_TTL=never", `APPROLE_CIDRS="10.0.0.0/8"`,
	} {
		cmd := exec.CommandContext(t.Context(), "./setup.sh")
		cmd.Env = []string{
			"PATH=" + os.Getenv("PATH"), "VAULT_CLI=curl", "VAULT_ADDR=" + server.Addr,
			"VAULT_TOKEN=" + server.RootToken, wrong,
		}
		out, err := cmd.CombinedOutput()
		require.Error(t, err, wrong)
		name, _, _ := strings.Cut(wrong, "=")
		require.Contains(t, string(out), name)
	}
}

func TestCredentialsAreForTheirOwnerOnly(t *testing.T) {
	server := testkit.OpenBao(t)
	dir := filepath.Join(t.TempDir(), "credentials")
	cmd := exec.CommandContext(t.Context(), "./setup.sh", "--credentials", dir)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "VAULT_CLI=curl", "VAULT_ADDR=" + server.Addr, "VAULT_TOKEN=" + server.RootToken,
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 4)

	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm(), entry.Name())
		require.Positive(t, info.Size())
	}
}
