package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestUpServesUntilItIsToldToStop(t *testing.T) {
	for name, d := range map[string]*desk{
		"sqlite":   newDesk(t),
		"postgres": newDesk(t, "PLATFORM_DATABASE_URL="+testkit.PostgresServer(t).NewDatabase(t)),
	} {
		t.Run(name, func(t *testing.T) {
			d.t = t
			addr, admin := testkit.FreeAddr(t), testkit.FreeAddr(t)
			u := d.up("--listen", addr, "--admin-listen", admin, "--apply", writeFile(t, seed))
			block := u.ready("is ready")
			require.Regexp(t, `created +tenant +acme`, block)
			require.Contains(t, block,
				"\n  URL       http://"+addr+"\n  issuer    http://"+addr+"/api/v1/platform/oauth\n  data      ")
			require.Contains(t, block, d.data)

			status, body := get(t, "http://"+addr+"/api/v1/platform/oauth/.well-known/openid-configuration")
			require.Equal(t, http.StatusOK, status)
			var discovery struct{ Issuer string }
			require.NoError(t, json.Unmarshal([]byte(body), &discovery))
			require.Equal(t, "http://"+addr+"/api/v1/platform/oauth", discovery.Issuer)
			status, _ = get(t, "http://"+admin+"/readyz")
			require.Equal(t, http.StatusOK, status)
			status, body = get(t, "http://"+addr+"/nowhere")
			require.Equal(t, http.StatusNotFound, status)
			require.JSONEq(t, `{"detail":"Not Found"}`, body)

			require.Equal(t, exitDone, u.end(), u.err.String())
			_, err := net.Dial("tcp", addr)
			require.Error(t, err, "the listener is closed")
		})
	}
}

func TestUpSignsWithVault(t *testing.T) {
	bao := testkit.OpenBao(t)
	roleID, secretID := bao.SetUp(t, testkit.BaoSetup{}).AppRole(t, "up")
	d := newDesk(t, "PLATFORM_SIGNING_BACKEND=vault", "VAULT_ADDR="+bao.Addr,
		"PLATFORM_VAULT_AUTH=approle", "PLATFORM_VAULT_ROLE="+roleID, "PLATFORM_VAULT_SECRET_ID="+secretID)
	addr, admin := testkit.FreeAddr(t), testkit.FreeAddr(t)
	u := d.up("--listen", addr, "--admin-listen", admin)
	u.ready("is ready")
	status, body := get(t, "http://"+admin+"/readyz")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"vault":"ok"`)
	_, err := os.Stat(filepath.Join(d.data, "keys"))
	require.ErrorIs(t, err, os.ErrNotExist, "no private key outside Vault")
	require.Equal(t, exitDone, u.end(), u.err.String())
	require.NotContains(t, u.err.String(), "level=ERROR")
}

func TestUpOnPostgreSQLAsksForMigrate(t *testing.T) {
	d := newDesk(t, "PLATFORM_DATABASE_URL="+testkit.PostgresServer(t).EmptyDatabase(t))
	require.Contains(t, d.failed("up"), "run `platform migrate`", "its role may not change the schema")
}

func TestUpWithAFileThatIsWrongServesNothing(t *testing.T) {
	require.Contains(t, newDesk(t).failed("up", "--apply", writeFile(t, "tenant: []")),
		"platform.yaml:1: tenant: unknown key")
}

func TestAPortThatIsTakenFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	taken := l.Addr().String()
	message := newDesk(t).failed("up", "--listen", taken, "--admin-listen", testkit.FreeAddr(t))
	require.Contains(t, message, "platform: PLATFORM_LISTEN: listen tcp "+taken+": bind: address already in use")
	message = newDesk(t).failed("up", "--listen", testkit.FreeAddr(t), "--admin-listen", taken)
	require.Contains(t, message, "PLATFORM_ADMIN_LISTEN: listen tcp "+taken)
}

func TestToldToStopBeforeItIsReadyIsNoFailure(t *testing.T) {
	stopped, stop := context.WithCancelCause(t.Context())
	stop(errors.New("terminated signal received")) // as signal.NotifyContext does
	for _, environ := range [][]string{
		nil,
		{"PLATFORM_DATABASE_URL=" + testkit.PostgresServer(t).NewDatabase(t)},
		{"PLATFORM_DATABASE_URL=postgres://nobody@127.0.0.1:1/x"},
	} {
		o := newDesk(t, environ...).runIn(stopped, "up", "--demo", "--listen", testkit.FreeAddr(t),
			"--admin-listen", testkit.FreeAddr(t))
		require.Equal(t, exitDone, o.code, o.err)
		require.NotContains(t, o.out, "is ready")
	}
}

// listening returns options to serve without services.
func listening(t *testing.T) servicekit.ServeOptions {
	t.Helper()
	var cfg struct{ Server config.Server }
	require.NoError(t,
		config.Load(&cfg,
			config.LoadOptions{Environ: []string{
				"PLATFORM_LISTEN=127.0.0.1:0", "PLATFORM_ADMIN_LISTEN=127.0.0.1:0",
			}}))
	return servicekit.ServeOptions{Server: cfg.Server, Handler: http.NotFoundHandler(), Logger: testkit.Logger(t)}
}

func TestServe(t *testing.T) {
	never := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	failing, broken := errors.New("no keys"), errors.New("the disk is gone")
	cause := errors.New("terminated signal received")

	t.Run("that is told to stop while it waits for the services ends well", func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		wait := func(ctx context.Context) error { stop(cause); return never(ctx) }
		require.NoError(t, serve(ctx, listening(t), wait, func() error { return broken }))
	})

	t.Run("whose services do not become ready says why", func(t *testing.T) {
		require.ErrorIs(t,
			serve(t.Context(), listening(t), func(context.Context) error { return failing }, nil), failing)
	})
	t.Run("that cannot say that it is ready ends", func(t *testing.T) {
		require.ErrorIs(t,
			serve(t.Context(), listening(t), func(context.Context) error { return nil },
				func() error { return broken }), broken)
	})
	t.Run("one of whose tasks fails while it waits says which", func(t *testing.T) {
		opts := listening(t)
		opts.Services = map[string]*servicekit.Service{"keys": {Run: func(context.Context) error { return failing }}}
		err := serve(t.Context(), opts, never, nil)
		require.ErrorIs(t, err, failing)
		require.ErrorContains(t, err, "keys")
	})
}

func TestTheDemosCredentialsAreKept(t *testing.T) {
	d := newDesk(t)
	addr := testkit.FreeAddr(t)
	args := []string{"--demo", "--listen", addr, "--admin-listen", testkit.FreeAddr(t)}
	first := d.up(args...)
	block := first.ready("demo-service")
	require.Contains(t, block, "  demo      http://"+addr+"/demo\n  sign in   ada@acme.test with the password ")
	status, body := get(t, "http://"+addr+"/demo")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "ada@acme.test")
	require.Equal(t, exitDone, first.end(), first.err.String())

	path := filepath.Join(d.data, "demo.json")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	var n notice
	again := d.up(append(args, "-o", "json")...)
	require.NoError(t, json.Unmarshal([]byte(again.ready("}\n}")), &n))
	require.Contains(t, block, "with the password "+n.Demo.Password+"\n")
	require.Contains(t, block, "with the secret "+n.Demo.ServiceSecret+"\n")
	require.Equal(t, "http://"+addr, n.URL)

	status, body = token(t, n)
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, exitDone, again.end(), again.err.String())

	require.NoError(t, os.WriteFile(path, []byte(`{"password":"x"`), 0o600))
	require.Contains(t, d.failed(append([]string{"up"}, args...)...),
		path+" is damaged: remove it, and new ones will be generated")
}

// token uses the demo service's credentials.
func token(t *testing.T, n notice) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.Issuer+"/token",
		strings.NewReader("grant_type=client_credentials"))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(n.Demo.ServiceClient, n.Demo.ServiceSecret)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}
