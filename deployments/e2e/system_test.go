package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const prefix = "/api/v1/platform"

// system is a running platform.
type system struct {
	Origin string
	Issuer string

	admin    map[string]string // admin address by process
	procs    map[string]*process
	restart  func(t *testing.T)
	together bool
}

func (s *system) url(path string) string { return s.Origin + prefix + path }

// onBothWays runs a test against the platform in one process and in five.
func onBothWays(t *testing.T, f func(t *testing.T, s *system)) {
	t.Helper()
	t.Run("together", func(t *testing.T) { f(t, together(t)) })
	t.Run("apart", func(t *testing.T) { f(t, apart(t)) })
}

// together starts `platform up` on SQLite and local keys.
func together(t *testing.T, args ...string) *system {
	t.Helper()
	addr, admin, data := freeAddr(t), freeAddr(t), t.TempDir()
	s := &system{Origin: "http://" + addr, admin: map[string]string{"platform": admin}, procs: map[string]*process{}, together: true}
	s.Issuer = s.url("/oauth")
	args = append([]string{
		"up", "--apply", seed(t), "--listen", addr, "--admin-listen", admin, "--public-url", s.Origin, "--data", data,
	}, args...)
	launch := func(t *testing.T) {
		t.Helper()
		s.procs["platform"] = start(t, "platform", []string{"PATH=" + os.Getenv("PATH")}, args...)
		s.procs["platform"].waitFor(t, admin, "/readyz")
	}
	s.restart = func(t *testing.T) {
		t.Helper()
		s.procs["platform"].stop(t)
		launch(t)
	}
	launch(t)
	return s
}

// apart starts the five services on PostgreSQL, each under its own role, behind
// an ingress that knows the route table and nothing else.
func apart(t *testing.T) *system {
	t.Helper()
	return apartWithRoles(t, nil)
}

// apartWithRoles lets a test start services under another's database role.
func apartWithRoles(t *testing.T, roles map[string]string) *system {
	t.Helper()
	server := testkit.PostgresServer(t)
	database := server.NewDatabase(t)
	ingress := httptest.NewUnstartedServer(nil)
	s := &system{Origin: "http://" + ingress.Listener.Addr().String(), admin: map[string]string{}, procs: map[string]*process{}}
	s.Issuer = s.url("/oauth")

	keyFolder := t.TempDir()
	handlers := map[string]http.Handler{}
	envs := map[string][]string{}
	for _, name := range services {
		role := name
		if other, ok := roles[name]; ok {
			role = other
		}
		addr := freeAddr(t)
		s.admin[name] = freeAddr(t)
		envs[name] = []string{
			"PLATFORM_PUBLIC_URL=" + s.Origin, "PLATFORM_LISTEN=" + addr, "PLATFORM_ADMIN_LISTEN=" + s.admin[name],
			"PLATFORM_TRUSTED_PROXIES=127.0.0.1/32", "PLATFORM_SIGNING_BACKEND=local", "PLATFORM_DATA_DIR=" + keyFolder,
			"PLATFORM_DATABASE_URL=" + server.LoginURL(t, database, "platform_"+role),
		}
		handlers[name] = httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	}
	mux, err := api.Mux(handlers, handlers["keys"])
	require.NoError(t, err)
	ingress.Config.Handler = mux
	ingress.Start()
	t.Cleanup(ingress.Close)

	operator := server.LoginURL(t, database, "platform_operator")
	platform(t, []string{"PLATFORM_DATABASE_URL=" + operator, "PLATFORM_PUBLIC_URL=" + s.Origin}, "apply", "-f", seed(t))

	launch := func(t *testing.T) {
		t.Helper()
		for _, name := range services {
			s.procs[name] = start(t, name, envs[name])
		}
		for _, name := range services {
			if roles == nil {
				s.procs[name].waitFor(t, s.admin[name], "/readyz")
			} else { // under a wrong role it need not become ready
				s.procs[name].waitFor(t, s.admin[name], "/livez")
			}
		}
	}
	s.restart = func(t *testing.T) {
		t.Helper()
		for _, p := range s.procs {
			p.stop(t)
		}
		launch(t)
	}
	launch(t)
	return s
}

// platform runs an operator's command and returns what it printed.
func platform(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "platform"), args...)
	cmd.Env, cmd.Dir = env, t.TempDir()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "platform %v:\n%s", args, out)
	return string(out)
}

func seed(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "seed.yaml"))
	require.NoError(t, err)
	return path
}
