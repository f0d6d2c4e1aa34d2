package e2e

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const prefix = "/api/v1/platform"

// system is a running platform.
type system struct {
	Origin string
	Issuer string

	admin   map[string]string // admin address by process
	procs   map[string]*process
	restart func(t *testing.T)
	// launchOne starts a process that has ended, when apart; it need not be ready yet.
	launchOne func(t *testing.T, name string)
	together  bool
	database  func(t *testing.T) *database.DB // the tables, for what takes too long to wait for
	operator  []string                        // the environment of the operator's commands

	addr      map[string]string    // public address by process, when apart
	balancers map[string]*balancer // by service, when apart
}

func (s *system) url(path string) string { return s.Origin + prefix + path }

// standing is a platform that runs already: while it is set, tests for both ways
// of running use it instead (see TestFlowsWithKeysInVault).
var standing *system

// onBothWays runs a test against the platform in one process and in five, side by
// side: much of the time is waiting.
func onBothWays(t *testing.T, f func(t *testing.T, s *system)) {
	t.Helper()
	if standing != nil {
		f(t, standing)
		return
	}

	t.Run("together", func(t *testing.T) { t.Parallel(); f(t, together(t)) })
	t.Run("apart", func(t *testing.T) { t.Parallel(); f(t, apart(t)) })
}

// together starts `platform up` on SQLite and local keys.
func together(t *testing.T, args ...string) *system {
	t.Helper()
	addr, admin, data := testkit.FreeAddr(t), testkit.FreeAddr(t), t.TempDir()
	s := &system{
		Origin:   "http://" + addr,
		admin:    map[string]string{"platform": admin},
		procs:    map[string]*process{},
		together: true,
	}

	s.Issuer = s.url("/oauth")
	s.operator = []string{"PLATFORM_DATA_DIR=" + data, "PLATFORM_PUBLIC_URL=" + s.Origin}
	s.database = func(t *testing.T) *database.DB {
		t.Helper()
		db, err := sqlite.Open(t.Context(), filepath.Join(data, "platform.db"), database.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		return db
	}

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

// apart starts the five services on PostgreSQL, through PgBouncer in transaction
// mode as large installations have it, each under its own role, behind an ingress
// that knows the route table and nothing else. Fleets of other shapes reach
// PostgreSQL directly. With the variable E2E_VAULT their keys are in Vault: the
// whole suite then passes as well, and TestFlowsWithKeysInVault has the part of it
// that runs each time.
func apart(t *testing.T) *system {
	t.Helper()
	if os.Getenv("E2E_VAULT") != "" {
		return deploy(t, fleet{pooled: besidePooler, signing: vaultLogins(t)})
	}
	return deploy(t, fleet{pooled: besidePooler})
}

// apartWithRoles lets a test start services under another's database role.
func apartWithRoles(t *testing.T, roles map[string]string) *system {
	t.Helper()
	return deploy(t, fleet{roles: roles})
}

// fleet is how the five services are deployed; the zero value is how apart has it.
type fleet struct {
	roles    map[string]string         // database role by service, where it is not its own
	replicas map[string]int            // processes by service, where it is not one
	env      []string                  // more settings, of every process
	pooled   pooling                   // whether PgBouncer stands before PostgreSQL
	server   *testkit.PGServer         // nil: the one that all tests share
	through  func(dbURL string) string // what stands before PostgreSQL; nil: what pooled says
	// signing is the settings of who keeps the private keys, by service; nil: files
	// that all share.
	signing map[string][]string
}

// pooling is how the services reach PostgreSQL.
type pooling int

const (
	direct       pooling = iota
	besidePooler         // through PgBouncer in transaction mode, with a direct URL to listen by
	behindPooler         // through it alone
)

// deploy starts a fleet. A service's first process goes by the service's name, the
// second by that name and "-2", and so on; each has a listener of its own, and the
// ingress takes those that are ready in turn.
func deploy(t *testing.T, f fleet) *system {
	t.Helper()
	server := f.server
	if server == nil {
		server = testkit.PostgresServer(t)
	}

	dsn := server.NewDatabase(t)
	through := func(dbURL string) string { return dbURL }
	switch {
	case f.through != nil:
		through = f.through
	case f.pooled != direct:
		through = testkit.PgBouncer(t, server)
	}

	ingress := httptest.NewUnstartedServer(nil)
	s := &system{
		Origin:    "http://" + ingress.Listener.Addr().String(),
		admin:     map[string]string{},
		procs:     map[string]*process{},
		addr:      map[string]string{},
		balancers: map[string]*balancer{},
	}

	s.Issuer = s.url("/oauth")
	s.database = func(t *testing.T) *database.DB {
		t.Helper()
		db, err := database.Open(t.Context(), database.Options{URL: dsn})
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		return db
	}

	keyFolder := t.TempDir()
	encryption := make([]byte, 32)
	_, err := rand.Read(encryption)
	require.NoError(t, err)
	handlers := map[string]http.Handler{}
	envs := map[string][]string{}
	binaries := map[string]string{}
	for _, service := range services {
		role := cmp.Or(f.roles[service], service)
		s.balancers[service] = newBalancer(s)

		for i := range max(1, f.replicas[service]) {
			name := service
			if i > 0 {
				name = fmt.Sprintf("%s-%d", service, i+1)
			}

			s.addr[name], s.admin[name], binaries[name] = testkit.FreeAddr(t), testkit.FreeAddr(t), service
			signing := []string{"PLATFORM_SIGNING_BACKEND=local", "PLATFORM_DATA_DIR=" + keyFolder}
			if f.signing != nil {
				signing = f.signing[service]
			}

			login := server.LoginURL(t, dsn, "platform_"+role)
			envs[name] = slices.Concat([]string{
				"PLATFORM_PUBLIC_URL=" + s.Origin, "PLATFORM_LISTEN=" + s.addr[name],
				"PLATFORM_ADMIN_LISTEN=" + s.admin[name],
				"PLATFORM_TRUSTED_PROXIES=127.0.0.1/32",
				"PLATFORM_ENCRYPTION_KEYS=" + base64.StdEncoding.EncodeToString(encryption),
				"PLATFORM_DATABASE_URL=" + through(login),
			}, signing, f.env)

			if f.pooled == besidePooler {
				envs[name] = append(envs[name], "PLATFORM_DATABASE_DIRECT_URL="+login)
			}

			s.balancers[service].add(name)
		}

		handlers[service] = s.balancers[service]
	}

	mux, err := api.Mux(handlers, handlers["keys"])
	require.NoError(t, err)
	ingress.Config.Handler = mux
	ingress.Start()
	t.Cleanup(ingress.Close)

	s.operator = []string{
		"PLATFORM_DATABASE_URL=" + through(server.LoginURL(t, dsn, "platform_operator")),
		"PLATFORM_PUBLIC_URL=" + s.Origin, "PLATFORM_TRUSTED_PROXIES=127.0.0.1/32",
	}
	s.operate(t, "apply", "-f", seed(t))

	s.launchOne = func(t *testing.T, name string) {
		t.Helper()
		s.procs[name] = start(t, binaries[name], envs[name])
	}
	launch := func(t *testing.T) {
		t.Helper()

		for name := range envs {
			s.launchOne(t, name)
		}

		for name := range envs {
			if f.roles == nil {
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
	var printed, logged bytes.Buffer
	cmd := exec.Command(filepath.Join(bin, "platform"), args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, t.TempDir(), &printed, &logged
	require.NoError(t, cmd.Run(), "platform %v:\n%s%s", args, &printed, &logged)
	return printed.String()
}

func seed(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "seed.yaml"))
	require.NoError(t, err)
	return path
}
