//go:build images

package docker

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// nobody is a user that no image knows, as some clusters assign.
const nobody = 23456

// container is a running image under the strictest rules: a read-only root, no
// capabilities, no way to get any, and a user that the cluster chose.
type container struct{ id, admin string }

func run(t *testing.T, name string, args []string, env map[string]string, command ...string) *container {
	t.Helper()
	c := &container{admin: env["PLATFORM_ADMIN_LISTEN"]}
	line := append([]string{
		"run", "--detach", "--network=host", "--read-only", "--cap-drop=ALL",
		"--security-opt=no-new-privileges", "--user=23456:23456",
	}, args...)
	for key, value := range env {
		line = append(line, "--env="+key+"="+value)
	}

	c.id = docker(t, append(append(line, image(name)), command...)...)
	t.Cleanup(func() {
		if t.Failed() {
			logs, _ := exec.Command(os.Getenv("DOCKER"), "logs", c.id).CombinedOutput()
			t.Logf("--- %s said:\n%s", name, logs)
		}
		docker(t, "rm", "--force", c.id)
	})

	return c
}

func (c *container) waitReady(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		res, err := http.Get("http://" + c.admin + "/readyz")
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		return res.StatusCode == http.StatusOK
	}, testkit.Patience, 50*time.Millisecond, "the container does not become ready")
}

// stop sends SIGTERM and expects the process to drain and to exit with 0.
func (c *container) stop(t *testing.T) {
	t.Helper()
	docker(t, "stop", "--time=30", c.id)
	require.Equal(t, "0", docker(t, "inspect", "--format={{.State.ExitCode}}", c.id), "exit code after SIGTERM")
	require.Equal(t, "false", docker(t, "inspect", "--format={{.State.OOMKilled}}", c.id))
}

func addresses(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"PLATFORM_LISTEN": testkit.FreeAddr(t), "PLATFORM_ADMIN_LISTEN": testkit.FreeAddr(t)}
}

// folder returns a folder that the containers' user can write to.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for at := dir; at != os.TempDir(); at = filepath.Dir(at) {
		require.NoError(t, os.Chmod(at, 0o755))
	}

	inner := filepath.Join(dir, "data")
	require.NoError(t, os.Mkdir(inner, 0o700))
	require.NoError(t, os.Chown(inner, nobody, nobody))
	return inner
}

func TestPlatformRunsInOneContainer(t *testing.T) {
	env := addresses(t)
	origin := "http://" + env["PLATFORM_LISTEN"]
	env["PLATFORM_PUBLIC_URL"] = origin
	c := run(t, "platform", []string{"--volume=" + folder(t) + ":/data"}, env, "up")
	c.waitReady(t)
	require.Equal(t, http.StatusOK, status(t, origin+"/api/v1/platform/.well-known/jwks.json"))
	c.stop(t)
}

// TestTheFiveServicesRunInFiveContainers runs them on PostgreSQL, each under its own role,
// with key files in a shared folder, and requires that a token is issued. The end-to-end
// suite verifies tokens.
func TestTheFiveServicesRunInFiveContainers(t *testing.T) {
	server := testkit.PostgresServer(t)
	dsn := server.NewDatabase(t)
	keys := folder(t)
	manifest := filepath.Join(keys, "platform.yaml")
	require.NoError(t, os.WriteFile(manifest, []byte(`applications:
  - client_id: worker
    name: Worker
    type: SERVICE
    scope_level: GLOBAL
    client_secret: a-secret-that-only-this-test-knows-of
    grants: [client_credentials]
    scopes: ["api:read"]
`), 0o644))

	entrance := addresses(t)["PLATFORM_LISTEN"]
	settings := func(role string) map[string]string {
		env := addresses(t)
		env["PLATFORM_PUBLIC_URL"] = "http://" + entrance
		env["PLATFORM_DATABASE_URL"] = server.LoginURL(t, dsn, "platform_"+role)
		return env
	}

	operator := settings("operator")
	delete(operator, "PLATFORM_LISTEN")
	delete(operator, "PLATFORM_ADMIN_LISTEN")
	apply := run(t, "platform", []string{"--volume=" + keys + ":/data"}, operator, "apply", "-f", "/data/platform.yaml")
	require.Equal(t, "0", docker(t, "wait", apply.id))

	running := map[string]*container{}
	origins := map[string]string{}
	for _, service := range []string{"keys", "authorize", "session", "token", "device"} {
		env := settings(service)
		env["PLATFORM_SIGNING_BACKEND"], env["PLATFORM_DATA_DIR"] = "local", "/data"
		env["PLATFORM_ENCRYPTION_KEYS"] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
		running[service], origins[service] = run(t, service, []string{"--volume=" + keys + ":/data"},
			env), "http://"+env["PLATFORM_LISTEN"]
	}

	for _, c := range running {
		c.waitReady(t)
	}

	require.Equal(t, http.StatusOK,
		status(t, origins["keys"]+"/api/v1/platform/oauth/.well-known/openid-configuration"))
	require.Equal(t, http.StatusOK, status(t, origins["device"]+"/device"))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, origins["token"]+"/api/v1/platform/oauth/token",
		strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("worker", "a-secret-that-only-this-test-knows-of")
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal(body, &answer), string(body))
	require.Equal(t, 2, strings.Count(answer.AccessToken, "."), string(body))

	for _, c := range running {
		c.stop(t)
	}
}

func status(t *testing.T, address string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode
}
