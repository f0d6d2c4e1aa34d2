package e2e

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// oauth2Proxy is the program of the release that deployments/tools/oauth2proxy
// pins.
const oauth2Proxy = "../../bin/tools/oauth2-proxy"

const proxySecret = "proxy-secret-that-is-long-enough-1"

// startOAuth2Proxy protects an empty site for an application of its own, and lets
// people return to other ports of this machine.
func startOAuth2Proxy(t *testing.T, s *system) (origin string) {
	t.Helper()
	program, err := filepath.Abs(oauth2Proxy)
	require.NoError(t, err)
	_, err = os.Stat(program)
	require.NoError(t, err, "this test needs oauth2-proxy: run `make bin/tools/oauth2-proxy`")

	addr := testkit.FreeAddr(t)
	origin = "http://" + addr
	s.register(t, &directory.Application{
		ClientID:     "proxy",
		Type:         directory.Web,
		RedirectURIs: []string{origin + "/oauth2/callback"},
		Grants:       []oauth.GrantType{oauth.GrantAuthorizationCode},
		Scopes:       oauth.Scopes{"openid", "email", "profile"},
	})

	require.NoError(t, directorystore.NewOperator(s.database(t)).Tx(t.Context(), func(w *directorystore.Writer) error {
		secret := directory.ApplicationSecret{ID: "sec_proxy", Hash: oauth.HashSecret(proxySecret)}
		return w.SetSecrets(t.Context(), "proxy", []directory.ApplicationSecret{secret}, time.Now().UTC())
	}))

	out := &output{}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program,
		"--provider=oidc",
		"--oidc-issuer-url="+s.Issuer,
		"--client-id=proxy",
		"--client-secret="+proxySecret,
		"--redirect-url="+origin+"/oauth2/callback",
		"--scope=openid email profile",
		"--code-challenge-method=S256",
		"--email-domain=*",
		"--insecure-oidc-allow-unverified-email=true",
		"--cookie-secret=0123456789abcdef0123456789abcdef",
		"--cookie-secure=false",
		"--http-address="+addr,
		"--upstream=static://200",
		"--skip-provider-button=true",
		"--whitelist-domain=127.0.0.1:*",
	)

	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, t.TempDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("--- oauth2-proxy said:\n%s", out)
		}
	})

	require.Eventually(t, func() bool {
		status, _ := fetch(t.Context(), origin+"/ping")
		return status == http.StatusOK
	}, testkit.Patience, 20*time.Millisecond, "oauth2-proxy does not start")

	return origin
}

// TestOAuth2ProxyReturnsToAnotherOrigin checks that the proxy's callback can redirect to
// the address that the person wanted (rd=) on another origin. Chromium stopped at the
// sign-in page when that had a form-action.
func TestOAuth2ProxyReturnsToAnotherOrigin(t *testing.T) {
	s := together(t)
	broker := newBroker(t, s) // for its third origin
	proxy := startOAuth2Proxy(t, s)
	tab := newTab(t)
	begin := proxy + "/oauth2/start?" + url.Values{"rd": {broker.third + "/wanted"}}.Encode()

	tab.open(begin)
	tab.see(emailField)
	tab.fill(emailField, "ada@acme.test"+kb.Enter)
	tab.see(passwordField)
	tab.fill(passwordField, password+kb.Enter)
	tab.see(allowButton)
	tab.click(allowButton)
	tab.see(`h1#third`)
	require.Equal(t, broker.third+"/wanted", read(tab, chromedp.Location()))

	// The proxy's session holds: it lets the person in without us.
	tab.open(proxy + "/")
	require.Contains(t, tab.text("body"), "Authenticated")

	// With a session here, no page of ours is shown.
	tab.open(proxy + "/oauth2/sign_out?" + url.Values{"rd": {begin}}.Encode())
	tab.see(`h1#third`)
	require.Equal(t, broker.third+"/wanted", read(tab, chromedp.Location()))
}
