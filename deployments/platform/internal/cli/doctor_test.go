package cli

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/doctor"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// ward is a platform that runs in this process. A test may put something in front of
// its origin.
type ward struct {
	*desk
	t        *testing.T
	upstream *url.URL
	// before sees each request first, and returns false if it has responded.
	before func(w http.ResponseWriter, r *http.Request) bool
}

// admit starts a platform behind a proxy that sends X-Forwarded-For, as ingresses do.
func admit(t *testing.T, environ ...string) *ward {
	t.Helper()
	listen := testkit.FreeAddr(t)
	w := &ward{t: t, upstream: &url.URL{Scheme: "http", Host: listen}}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(w.upstream)
		r.Out.Host = r.In.Host
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
		r.SetXForwarded()
	}}

	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.before == nil || w.before(rw, r) {
			proxy.ServeHTTP(rw, r)
		}
	}))

	t.Cleanup(front.Close)
	w.desk = newDesk(t, append(environ, "PLATFORM_PUBLIC_URL="+front.URL)...)
	u := w.up("--listen", listen, "--admin-listen", testkit.FreeAddr(t))
	t.Cleanup(func() { require.Equal(t, exitDone, u.end(), u.err.String()) })
	u.ready("is ready")

	return w
}

// examine runs the doctor and returns the findings that are not ok, and the checks
// that are.
func (w *ward) examine(args ...string) (wrong []doctor.Finding, sound []string) {
	w.t.Helper()
	var findings []doctor.Finding
	o := w.run(append([]string{"doctor", "-o", "json"}, args...)...)
	require.NoError(w.t, json.Unmarshal([]byte(o.out), &findings), o.err)
	failed := slices.ContainsFunc(findings, func(f doctor.Finding) bool { return f.Result == doctor.Fail })
	require.Equal(w.t, failed, o.code == exitFailed, o.err)

	for _, f := range findings {
		if f.Result == doctor.OK {
			sound = append(sound, f.Check)
		} else {
			wrong = append(wrong, f)
		}
	}

	return wrong, slices.Compact(sound)
}

// finds requires exactly one finding that is not ok.
func (w *ward) finds(level doctor.Level, check, says string, args ...string) {
	w.t.Helper()
	wrong, _ := w.examine(args...)
	require.Len(w.t, wrong, 1)
	require.Equal(w.t, level, wrong[0].Result, wrong)
	require.Equal(w.t, check, wrong[0].Check, wrong)
	require.Contains(w.t, wrong[0].Finding, says)
	require.NotEmpty(w.t, wrong[0].Remedy)
}

const trusting = "PLATFORM_TRUSTED_PROXIES=127.0.0.1/32"

func TestTheDoctorFindsNothingWrongWithAPlatformOnSQLite(t *testing.T) {
	w := admit(t, trusting)
	out := w.done("doctor")
	require.Regexp(t, `^RESULT +CHECK +FINDING +REMEDY\nok +database +SQLite`, out)
	require.NotContains(t, out, "warn")
	_, sound := w.examine()
	require.Equal(t, []string{"database", "applications", "vault", "issuer", "jwks", "route", "forwarded"}, sound)
}

func TestTheDoctorSeesWhatIsWrongWithTheWayIn(t *testing.T) {
	w := admit(t, trusting)
	w.finds(doctor.Fail, "issuer", "does not answer", "--public-url", "http://127.0.0.1:1")
	wrong, _ := w.examine("--public-url", "http://"+w.upstream.Host)
	require.Len(t, wrong, 2, "the metadata of both specifications")
	require.Contains(t, wrong[0].Finding, "names the issuer")

	instead := func(path string, status int, header ...string) {
		w.before = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return true
			}
			for i := 0; i < len(header); i += 2 {
				rw.Header().Set(header[i], header[i+1])
			}

			rw.WriteHeader(status)
			return false
		}
	}

	const userinfo = "/api/v1/platform/oauth/userinfo"
	instead(userinfo, http.StatusNotFound)
	w.finds(doctor.Fail, "route", "status 404")
	instead(userinfo, http.StatusServiceUnavailable)
	w.finds(doctor.Fail, "route", "can't reach token")
	instead(userinfo, http.StatusOK)
	w.finds(doctor.Fail, "route", "would reject with 405")
	instead(userinfo, http.StatusMethodNotAllowed, "Allow", "PUT")
	w.finds(doctor.Fail, "route", `"GET, POST"`)
	instead("/auth/tenants/doctor/theme.css", http.StatusNotFound)
	w.finds(doctor.Fail, "route", "/auth/tenants/{slug}/theme.css")
	instead("/api/v1/platform/.well-known/jwks.json", http.StatusNotFound)
	wrong, _ = w.examine()
	require.Equal(t, []string{"jwks", "route"}, []string{wrong[0].Check, wrong[1].Check})
}

func TestTheDoctorSeesAProxyThatNobodyBelieves(t *testing.T) {
	w := admit(t)
	wrong, _ := w.examine()
	require.Len(t, wrong, 3)
	for i, service := range []string{"authorize", "device", "session"} {
		require.Equal(t, "forwarded", wrong[i].Check)
		require.Equal(t, doctor.Fail, wrong[i].Result)
		require.Contains(t, wrong[i].Finding, "the proxy at 127.0.0.1 sends X-Forwarded-For, but "+service)
	}
}

func TestTheDoctorSeesThatAnybodyIsBelieved(t *testing.T) {
	w := admit(t, trusting)
	w.environ = slices.DeleteFunc(slices.Clone(w.environ), func(s string) bool { return s == trusting })
	wrong, _ := w.examine()
	require.Len(t, wrong, 3)
	require.Equal(t, doctor.Warn, wrong[0].Result, "we may be one of its proxies")
	require.Contains(t, wrong[0].Finding, "trusts X-Forwarded-For from 127.0.0.1")
}

func TestTheDoctorNeedsADatabase(t *testing.T) {
	d := newDesk(t)
	require.Contains(t, d.failed("doctor", "--public-url", "http://127.0.0.1:1"), "checks failed")
	require.NoFileExists(t, d.data+"/platform.db", "it changes nothing")
	require.Contains(t, d.wrong("doctor", "--service", "tokens"), "authorize, token, device")
}

// vaultEnv is a service's environment for its Vault.
func vaultEnv(t *testing.T, server *testkit.BaoServer, logins *testkit.BaoLogins, service string) []string {
	t.Helper()
	role, secret := logins.AppRole(t, service)
	return []string{
		"PLATFORM_SIGNING_BACKEND=vault", "VAULT_ADDR=" + server.Addr, "PLATFORM_VAULT_AUTH=approle",
		"PLATFORM_VAULT_ROLE=" + role, "PLATFORM_VAULT_SECRET_ID=" + secret,
	}
}

// in returns the ward with another environment, whose later values win.
func (w *ward) in(environ ...string) *ward {
	values := map[string]string{}
	for _, entry := range slices.Concat(w.environ, environ) {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}

	other := *w.desk
	other.environ = nil
	for _, name := range slices.Sorted(maps.Keys(values)) {
		other.environ = append(other.environ, name+"="+values[name])
	}

	return &ward{desk: &other, t: w.t, upstream: w.upstream}
}

func TestTheDoctorKnowsWhatEachServiceNeeds(t *testing.T) {
	postgres, bao := testkit.PostgresServer(t), testkit.OpenBao(t)
	owner := postgres.NewDatabase(t)
	logins := bao.SetUp(t, testkit.BaoSetup{})
	w := admit(t, append(vaultEnv(t, bao, logins, "up"), trusting, "PLATFORM_DATABASE_URL="+owner)...)
	all := []string{
		"database", "applications", "clock.database", "database.login", "database.rights", "vault", "clock.vault", "vault.login",
		"vault.policy", "vault.sign",
		"issuer", "jwks", "route", "forwarded",
	}
	wrong, sound := w.examine()
	require.Empty(t, wrong)
	require.Equal(t, all, sound)

	service := func(name string) *ward {
		return w.in(append(vaultEnv(t, bao, logins, name),
			"PLATFORM_DATABASE_URL="+postgres.LoginURL(t, owner, "platform_"+name))...)
	}
	token, keys := service("token"), service("keys")
	for name, one := range map[string]*ward{"token": token, "keys": keys, "session": service("session")} {
		for _, args := range [][]string{nil, {"--service", name}} {
			one.finds(doctor.Warn, "forwarded", "not checked", args...)
		}
	}

	device := w.in("PLATFORM_SIGNING_BACKEND=local",
		"PLATFORM_DATABASE_URL="+postgres.LoginURL(t, owner, "platform_device"))
	wrong, _ = device.examine("--service", "device")
	require.Equal(t, []string{"vault", "forwarded"}, checksOf(wrong), "it has a secret id, which it does not need")

	wrong, _ = token.examine("--service", "keys")
	require.Equal(t, []string{"database.login", "vault.policy", "forwarded"}, checksOf(wrong))
	require.Contains(t, wrong[0].Finding, "lacks the rights of platform_keys")
	require.Contains(t, wrong[1].Finding, "create platform-es256, read platform-es256, rotate platform-es256")
	wrong, _ = keys.examine("--service", "token")
	require.Contains(t, wrong[1].Finding, "sign with platform-es256")
	wrong, _ = w.examine("--service", "session")
	require.Equal(t, []string{"database.login", "vault.policy"}, checksOf(wrong),
		"who may do everything may do too much")
	require.Contains(t, wrong[1].Finding, "must not have a token that can create platform-es256")
}

func checksOf(findings []doctor.Finding) (checks []string) {
	for _, f := range findings {
		checks = append(checks, f.Check)
	}
	return checks
}
