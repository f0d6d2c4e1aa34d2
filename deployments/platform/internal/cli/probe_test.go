package cli

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// The platform is behind an ingress that terminates TLS with a certificate of a private
// CA, and whose name doesn't resolve to its address.
func TestAProbeGoesTheWayOfAnApplication(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	addr := testkit.FreeAddr(t)
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}

	secret := file("secret", "a-long-random-string-of-this-test\n")
	running := d.up("--listen", addr, "--admin-listen", testkit.FreeAddr(t), "--public-url", "https://example.com",
		"--apply", file("platform.yaml", `
applications:
  - client_id: smoke-test
    name: Smoke test
    type: SERVICE
    scope_level: GLOBAL
    client_secret: a-long-random-string-of-this-test
    grants: [client_credentials]
    scopes: ["api:read"]
    audiences: ["https://api.test"]
`))

	running.ready("is ready")
	ingress := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr}))
	t.Cleanup(ingress.Close)
	authority := file("ca.crt",
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ingress.Certificate().Raw})))
	way := []string{
		"probe", "--public-url", "https://example.com", "--ca-file", authority, "--connect-to",
		ingress.Listener.Addr().String(),
	}
	as := func(client string, more ...string) []string {
		return append(append([]string(nil), way...),
			append([]string{"--client-id", client, "--client-secret-file", secret}, more...)...)
	}

	require.Regexp(t, `^ok  discovery  issuer https://example\.com/api/v1/platform/oauth
ok  keys       \d, for .*ES256.*
ok  token      client credentials of smoke-test, signed with ES256 by key \S+
$`, d.done(as("smoke-test", "--resource", "https://api.test")...))
	require.NotContains(t, d.done(way...), "token", "without an application none is asked for")
	require.Contains(t, d.failed(as("nobody")...), "401 Unauthorized")
	require.Contains(t, d.failed(as("smoke-test", "--resource", "https://elsewhere.test")...), "invalid_target")
	require.Contains(t,
		d.failed("probe", "--public-url", "https://example.com", "--connect-to", ingress.Listener.Addr().String()),
		"certificate")
	require.Contains(t, d.failed("probe", "--public-url", "http://"+addr),
		"the services have another PLATFORM_PUBLIC_URL")

	require.Contains(t, d.wrong("probe", "--client-id", "smoke-test"), "belong together")
	require.Contains(t, d.wrong("probe", "--public-url", "http://login.test"), "https")
	require.Contains(t, d.failed("probe", "--ca-file", secret), "no PEM certificate")
	require.Equal(t, exitDone, running.end())
}

func TestAProbeWaitsForWhatIsNotThereYet(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	addr := testkit.FreeAddr(t)
	require.Contains(t, d.failed("probe", "--public-url", "http://"+addr), "connection refused")
	waiting := d.start("probe", "--public-url", "http://"+addr, "--wait", "1m")
	running := d.up("--listen", addr, "--admin-listen", testkit.FreeAddr(t), "--public-url", "http://"+addr)
	waiting.ready("ok  keys")
	require.Equal(t, exitDone, waiting.wait())
	require.Equal(t, exitDone, running.end())
}

func TestAProbeSaysWhereAnIngressSendsAPathAmiss(t *testing.T) {
	t.Parallel()
	page := httptest.NewServer(http.HandlerFunc(func(
		w http.ResponseWriter, _ *http.Request,
	) {
		_, _ = w.Write([]byte("<html>"))
	}))
	t.Cleanup(page.Close)
	require.Contains(t, newDesk(t).failed("probe", "--public-url", page.URL),
		"does the ingress route this path to another service?")
}
