package servicekit

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestVaultSecretsAreNotPrinted(t *testing.T) {
	env := valid()
	env["VAULT_TOKEN"], env["PLATFORM_VAULT_SECRET_ID"] = "hvs.token", "secret-id"
	code, stdout, _ := exit(t, []string{"--print-config"}, env)
	require.Equal(t, ExitDone, code)
	require.Contains(t, stdout, "VAULT_TOKEN")
	require.NotContains(t, stdout, "hvs.token")
	require.NotContains(t, stdout, "secret-id")
	_, stdout, _ = exit(t, []string{"--help"}, nil)
	require.NotContains(t, stdout, "VAULT_TOKEN[_FILE]", "there is PLATFORM_VAULT_TOKEN_FILE")
}

func TestAServiceSignsWithVaultAndSaysWhenItCannot(t *testing.T) {
	bao := testkit.OpenBao(t)
	roleID, secretID := bao.SetUp(t, testkit.BaoSetup{}).AppRole(t, "up")
	secretFile := filepath.Join(t.TempDir(), "secret-id")
	require.NoError(t, os.WriteFile(secretFile, []byte(secretID+"\n"), 0o600))
	_, admin, ended, stop := serveTest(t, testkit.PostgresServer(t).NewDatabase(t), map[string]string{
		"PLATFORM_SIGNING_BACKEND":      "vault",
		"VAULT_ADDR":                    bao.Addr,
		"PLATFORM_VAULT_AUTH":           "approle",
		"PLATFORM_VAULT_ROLE":           roleID,
		"PLATFORM_VAULT_SECRET_ID_FILE": secretFile,
	})

	readiness := func(status int, body string) {
		t.Helper()
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			got, text := (&running{t: t}).get(admin + "/readyz")
			require.Equal(c, status, got, text)
			require.Regexp(c, body, text)
		}, 10*time.Second, 20*time.Millisecond)
	}

	readiness(http.StatusOK, `"vault":"ok"`)
	bao.Seal(t)
	readiness(http.StatusServiceUnavailable, `"database":"ok".*"vault":"vault: .*sealed`)
	bao.Unseal(t)
	readiness(http.StatusOK, `"vault":"ok"`)
	stop()
	require.Equal(t, ExitDone, <-ended)
}
