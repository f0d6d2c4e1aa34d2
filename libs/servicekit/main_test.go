package servicekit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

type testConfig struct {
	Server   config.Server
	Database config.Database
	Signing  config.Signing
}

// valid is the least environment in which a service starts.
func valid() map[string]string {
	return map[string]string{
		"PLATFORM_DATABASE_URL":    "postgres://app:pa55word@db:5432/platform",
		"PLATFORM_SIGNING_BACKEND": "local",
	}
}

// environ returns variables in the form of os.Environ.
func environ(vars map[string]string) []string {
	var list []string
	for name, value := range vars {
		list = append(list, name+"="+value)
	}
	return list
}

// output is a writer that a running process and its test share.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func buildNothing(testConfig, Deps) (*Service, error) { return nil, errors.New("must not be built") }

// exit runs a service that ends by itself.
func exit(t *testing.T, args []string, env map[string]string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs output
	p := process{
		args:    args,
		environ: environ(env),
		stdout:  &out,
		stderr:  &errs,
	}

	code = run(t.Context(), p, "token", buildNothing)
	return code, out.String(), errs.String()
}

func TestAServiceSaysWhatItIs(t *testing.T) {
	code, stdout, stderr := exit(t, []string{"--version"}, nil)
	require.Equal(t, ExitDone, code, "no configuration is needed")
	require.Regexp(t, `^token dev \(commit .+, go1\..+\)\n$`, stdout)
	require.Empty(t, stderr)

	code, stdout, _ = exit(t, []string{"--help"}, nil)
	require.Equal(t, ExitDone, code)
	require.Contains(t, stdout, "Usage: token")
	require.Contains(t, stdout, "PLATFORM_SIGNING_BACKEND")
	require.NotContains(t, stdout, "PLATFORM_SESSION_IDLE", "only what the service uses")

	code, stdout, _ = exit(t, []string{"--print-config"}, valid())
	require.Equal(t, ExitDone, code)
	require.Contains(t, stdout, "postgres://app:***@db:5432/platform")
	require.Contains(t, stdout, "PLATFORM_LOG_FORMAT")
}

func TestWrongUsageExitsWithTwo(t *testing.T) {
	for name, args := range map[string][]string{
		"see token --help":               {"--verbose"},
		`unexpected argument "up"`:       {"up"},
		"PLATFORM_DATABASE_URL: missing": nil,
	} {
		code, stdout, stderr := exit(t, args, nil)
		require.Equal(t, ExitUsage, code)
		require.Empty(t, stdout)
		require.Contains(t, stderr, name)
	}
}

func TestAServiceAloneRefusesWhatIsForPlatformUp(t *testing.T) {
	env := valid()
	env["PLATFORM_DATABASE_URL"] = "sqlite:platform.db"
	code, _, stderr := exit(t, nil, env)
	require.Equal(t, ExitFailed, code)
	require.Contains(t, stderr, "a service on its own needs PostgreSQL")
}

func TestLocalKeysAreInTheDataFolder(t *testing.T) {
	dir := t.TempDir()
	keys, err := OpenSigning(t.Context(), config.Signing{Backend: config.SigningLocal, DataDir: dir}, Deps{})
	require.NoError(t, err)
	defer func() { require.NoError(t, keys.Close()) }()
	require.Nil(t, keys.Service)
	_, _, err = keys.Maker.Create(t.Context(), signing.ES256)
	require.NoError(t, err)
	files, err := os.ReadDir(filepath.Join(dir, "keys"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	occupied := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(occupied, nil, 0o600))
	_, err = OpenSigning(t.Context(), config.Signing{Backend: config.SigningLocal, DataDir: occupied}, Deps{})
	require.ErrorContains(t, err, "PLATFORM_DATA_DIR: ")
	_, err = OpenSigning(t.Context(), config.Signing{Backend: "tpm"}, Deps{})
	require.ErrorContains(t, err, "PLATFORM_SIGNING_BACKEND: ")
}

// serveTest runs a whole service against a real database until stop.
func serveTest(
	t *testing.T, databaseURL string, further ...map[string]string,
) (public, admin string, ended <-chan int, stop context.CancelFunc) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	listening, code := make(chan struct{}), make(chan int, 1)
	var out output
	variables := map[string]string{
		"PLATFORM_DATABASE_URL":    databaseURL,
		"PLATFORM_SIGNING_BACKEND": "local",
		"PLATFORM_DATA_DIR":        t.TempDir(),
		"PLATFORM_LISTEN":          "127.0.0.1:0",
		"PLATFORM_ADMIN_LISTEN":    "127.0.0.1:0",
	}
	for _, f := range further {
		maps.Copy(variables, f)
	}

	p := process{
		environ: environ(variables),
		stdout:  &out,
		stderr:  &out,
		onListening: func(p, a net.Addr) {
			public, admin = "http://"+p.String(), "http://"+a.String()
			close(listening)
		},
	}

	build := func(cfg testConfig, deps Deps) (*Service, error) {
		deps, err := deps.Complete()
		if err != nil || deps.Signing == nil || deps.KeyMaker == nil {
			return nil, errors.Join(err, errors.New("no keys"))
		}

		return &Service{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, cfg.Server.Issuer())
		})}, nil
	}

	go func() { code <- run(ctx, p, "token", build) }()

	select {
	case <-listening:
	case got := <-code:
		require.Fail(t, "the service ended", "code %d: %s", got, out.String())
	}

	return public, admin, code, stop
}

func TestAServiceRunsOnPostgreSQLAndEndsWithZero(t *testing.T) {
	public, admin, ended, stop := serveTest(t, testkit.PostgresServer(t).NewDatabase(t))
	r := &running{t: t}
	_, body := r.get(public)
	require.Equal(t, "http://127.0.0.1:8080/api/v1/platform/oauth", body)
	status, body := r.get(admin + "/readyz")
	require.Equal(t, http.StatusOK, status, body)
	require.JSONEq(t, `{"status":"ready","checks":{"database":"ok"}}`, body)
	status, body = r.get(admin + "/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "go_goroutines")
	stop()
	require.Equal(t, ExitDone, <-ended)
}

func TestAServiceOnAnOlderSchemaIsNotReadyAndSaysWhy(t *testing.T) {
	_, admin, _, _ := serveTest(t, testkit.PostgresServer(t).EmptyDatabase(t))
	status, body := (&running{t: t}).get(admin + "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Regexp(t, `"database":".*(schema|migrate)`, body)
}

func TestAStartWaitsForADatabaseThatIsAway(t *testing.T) {
	server := testkit.OwnPostgresServer(t)
	url := server.URL("postgres")
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	var out output
	_, err := OpenDatabase(ctx, config.Database{URL: url}, Deps{Logger: NewLogger(&out, config.Log{})})
	require.Error(t, err)
	require.Contains(t, out.String(), "waiting for the database")
}

// rerun is the test binary again, for the test that calls it only.
func rerun(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

func TestMainDrainsOnASignal(t *testing.T) {
	if os.Getenv("SERVICEKIT_TEST_MAIN") != "" {
		type server struct{ Server config.Server }
		os.Args = os.Args[:1] // the others are the test binary's
		Main("tiny", func(server, Deps) (*Service, error) {
			return &Service{Handler: http.NotFoundHandler(), Run: func(ctx context.Context) error {
				// Only now does Main wait for a signal, and listens.
				if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
					return err
				}
				<-ctx.Done()
				return ctx.Err()
			}}, nil
		})
	}

	out, err := rerun(t, "SERVICEKIT_TEST_MAIN=1", "PLATFORM_LISTEN=127.0.0.1:0",
		"PLATFORM_ADMIN_LISTEN=127.0.0.1:0").CombinedOutput()
	require.NoError(t, err, "exit code 0: %s", out)
	require.Contains(t, string(out), "draining")
}

func TestDependenciesThatAreMissingAreNamed(t *testing.T) {
	_, err := Deps{Now: Clock}.Complete()
	require.EqualError(t, err, "dependencies missing: DB, Logger, Random")
}

func TestTheClockIsUTCInMicroseconds(t *testing.T) {
	now := Clock()
	require.Equal(t, time.UTC, now.Location())
	require.Zero(t, now.Nanosecond()%1000)
}
