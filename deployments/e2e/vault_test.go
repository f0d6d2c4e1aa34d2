package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// onVault starts the five services on PostgreSQL with their keys in Vault.
func onVault(t *testing.T, env ...string) *system {
	t.Helper()
	return deploy(t, fleet{signing: vaultLogins(t), env: env})
}

// vaultLogins starts OpenBao, set up by deployments/vault/setup.sh, and gives each
// service the settings of its own login: the token service by its Kubernetes service
// account, keys and session by AppRole, and authorize and device know of no Vault.
func vaultLogins(t *testing.T) map[string][]string {
	t.Helper()
	vault, cluster := testkit.OpenBao(t), testkit.NewKubernetes(t)
	logins := vault.SetUp(t, testkit.BaoSetup{Kubernetes: cluster})
	account := filepath.Join(t.TempDir(), "token")
	require.NoError(t,
		os.WriteFile(account, []byte(cluster.Token(t, "platform", "platform-oauth-token", "vault")), 0o600))
	signing := map[string][]string{
		"authorize": nil, "device": nil,
		"token": {
			"PLATFORM_VAULT_AUTH=kubernetes", "PLATFORM_VAULT_ROLE=platform-token",
			"PLATFORM_VAULT_JWT_FILE=" + account,
		},
	}
	for _, service := range []string{"keys", "session"} {
		role, secret := logins.AppRole(t, service)
		signing[service] = []string{
			"PLATFORM_VAULT_AUTH=approle", "PLATFORM_VAULT_ROLE=" + role, "PLATFORM_VAULT_SECRET_ID=" + secret,
		}
	}

	for _, service := range []string{"token", "keys", "session"} {
		signing[service] = append(signing[service], "PLATFORM_SIGNING_BACKEND=vault", "VAULT_ADDR="+vault.Addr)
	}

	return signing
}

// TestFlowsWithKeysInVault is the third way of running, for one test of each flow:
// what else there is to try does not depend on who keeps the keys.
func TestFlowsWithKeysInVault(t *testing.T) {
	// A new key signs two seconds after it was made.
	collector := testkit.NewOTLP(t)
	s := onVault(t, "PLATFORM_OUTBOUND_ALLOW=127.0.0.1", "PLATFORM_KEY_PUBLISH_AHEAD=2s", "PLATFORM_KEY_ROTATION=1h",
		"OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL)
	standing = s
	t.Cleanup(func() { standing = nil })

	for _, service := range []string{"authorize", "device"} {
		require.NotContains(t, strings.Join(s.procs[service].cmd.Env, " "), "VAULT")
	}

	// Until the first keys are all there, tokens are signed with what there is.
	require.Eventually(t, func() bool { return headerOf(t, machineToken(t, s).AccessToken)["alg"] == "ES256" },
		testkit.Patience, 20*time.Millisecond)

	for _, flow := range []struct {
		name string
		test func(t *testing.T)
	}{
		// The first, for it changes an application that services keep in memory.
		{"back-channel logout", TestApplicationsAreToldOfALogout},
		{"authorization code", TestSignInOnceAndHoldTokensThatVerify},
		{"public application", TestPublicApplicationsUsePKCEAndNoSecret},
		{"refresh token", TestStaySignedInByRefreshTokens},
		{"client credentials", TestClientCredentials},
		{"device code", func(t *testing.T) { secondScreen(t, s) }},
		{"token exchange", TestAServiceExchangesWhatItWasSent},
		{"what is seen of it", func(t *testing.T) { seesVault(t, s, collector) }},
		{"doctor", func(t *testing.T) { healthy(t, s) }},
		{"rotation", func(t *testing.T) { rotation(t, s) }},
		{"restart", TestRestartKeepsUsersSessionsGrantsAndKeys}, // the last: what it starts ends with it
	} {
		t.Run(flow.name, flow.test)
	}
}

// machineToken is a token of the application service's own.
func machineToken(t *testing.T, s *system) *oauth2.Token {
	t.Helper()
	config := clientcredentials.Config{
		ClientID:     "service",
		ClientSecret: secrets["service"],
		TokenURL:     s.url("/oauth/token"),
	}
	token, err := config.Token(t.Context())
	require.NoError(t, err)
	return token
}

// seesVault requires the metrics of signing, and the spans from a request to what
// Vault was asked for it.
func seesVault(t *testing.T, s *system, collector *testkit.OTLP) {
	t.Helper()
	_, text := fetch(t.Context(), "http://"+s.admin["token"]+"/metrics")
	there, _ := families(map[string]string{"token": text})
	for name := range declared(t) {
		if strings.HasPrefix(name, notHere) {
			require.True(t, there[name], "%s is not at /metrics", name)
		}
	}

	collector.WaitFor(t, "a token request, its signature and Vault's answer", func(spans []testkit.Span) bool {
		byID := map[string]testkit.Span{}
		for _, span := range spans {
			byID[string(span.SpanId)] = span
		}

		return slices.ContainsFunc(spans, func(span testkit.Span) bool {
			sign := byID[string(span.GetParentSpanId())]
			request := byID[string(sign.GetParentSpanId())]
			return strings.Contains(span.GetName(), "/v1/transit/sign/platform-") && sign.GetName() == "vault sign" &&
				request.GetName() == "POST "+prefix+"/oauth/token"
		})
	})
}

// healthy has the doctor look at every service from that service's own environment,
// and at the whole from an operator's.
func healthy(t *testing.T, s *system) {
	t.Helper()
	out := platform(t, s.operator, "doctor")
	require.NotRegexp(t, `(?m)^(warn|fail)`, out)
	for _, service := range services {
		out := platform(t, s.procs[service].cmd.Env, "doctor", "--service", service)
		require.Len(t, regexp.MustCompile(`(?m)^warn`).FindAllString(out, -1), 1,
			"only what the trail would tell:\n%s", out)
		require.Regexp(t, `(?m)^warn +forwarded`, out)
		require.Contains(t, out, "has the rights of platform_"+service+" and no others")
	}
}

// secondScreen is the device flow (RFC 8628) of a device that asks when it knows
// that the answer is there: a client that keeps to the interval takes seconds.
func secondScreen(t *testing.T, s *system) {
	t.Helper()
	code := deviceCode(t, s, "native")
	page := formbrowser.New(t).Get(code.Complete)
	page = page.Submit("Continue", url.Values{"email": {"ada@acme.test"}}).Submit("Sign in",
		url.Values{"password": {password}})
	page.Submit("Allow", nil)
	form := url.Values{
		"grant_type":  {"urn:ietf:params:oauth:grant-type:device_code"},
		"client_id":   {"native"},
		"device_code": {code.DeviceCode},
	}
	res, body := exchange(t, http.MethodPost, s.url("/oauth/token"), form.Encode(), nil)
	require.Equal(t, http.StatusOK, res.StatusCode, string(body))
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	require.Equal(t, "acme", claimsOf(t, answer.AccessToken)["tenant_slug"])
	_, err := oidc.NewRemoteKeySet(t.Context(), s.url("/.well-known/jwks.json")).VerifySignature(t.Context(),
		answer.AccessToken)
	require.NoError(t, err)
}

// rotation makes the time of a key come and follows the next one into use: another
// version of the same transit key, which signs once it has been published, while
// what the first has signed still counts.
func rotation(t *testing.T, s *system) {
	t.Helper()
	db := s.database(t)
	refs := func() (refs []string) {
		require.NoError(t,
			db.Select(t.Context(), "test.refs", &refs,
				`SELECT ref FROM signing_keys WHERE algorithm = 'ES256' ORDER BY generation`))
		return refs
	}
	require.Equal(t, []string{"platform-es256:v1"}, refs())
	first := machineToken(t, s)
	long := database.At(time.Now().Add(-2 * time.Hour))
	_, err := db.Exec(t.Context(), "test.age",
		`UPDATE signing_keys SET published_at = $1, active_from = $1 WHERE algorithm = 'ES256'`, long)
	require.NoError(t, err)

	var second *oauth2.Token
	require.Eventually(t, func() bool {
		second = machineToken(t, s)
		return headerOf(t, second.AccessToken)["kid"] != headerOf(t, first.AccessToken)["kid"]
	}, testkit.Patience, 100*time.Millisecond)
	require.Equal(t, []string{"platform-es256:v1", "platform-es256:v2"}, refs())
	keys := oidc.NewRemoteKeySet(t.Context(), s.url("/.well-known/jwks.json"))
	for _, token := range []*oauth2.Token{first, second} {
		_, err := keys.VerifySignature(t.Context(), token.AccessToken)
		require.NoError(t, err)
	}

	status, document := fetch(t.Context(), s.url("/.well-known/jwks.json"))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 1, strings.Count(document, `"`+headerOf(t, first.AccessToken)["kid"].(string)+`"`),
		"the first is published until nothing of it counts")
}
