package e2e

import (
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// TestTheKeySetWithoutItsDatabase takes the database away from a keys service that has a
// key set, and from one that is starting.
func TestTheKeySetWithoutItsDatabase(t *testing.T) {
	server := testkit.OwnPostgresServer(t)
	dsn := server.NewDatabase(t)
	data := t.TempDir()
	type replica struct {
		*process
		addr, admin string
	}
	launch := func(t *testing.T) replica {
		t.Helper()
		r := replica{addr: testkit.FreeAddr(t), admin: testkit.FreeAddr(t)}
		r.process = start(t, "keys", []string{
			"PATH=" + os.Getenv("PATH"), "PLATFORM_PUBLIC_URL=http://" + r.addr, "PLATFORM_LISTEN=" + r.addr,
			"PLATFORM_ADMIN_LISTEN=" + r.admin,
			"PLATFORM_SIGNING_BACKEND=local", "PLATFORM_DATA_DIR=" + data, "PLATFORM_DATABASE_URL=" + dsn,
		})
		r.waitFor(t, r.admin, "/livez")
		return r
	}

	get := func(t *testing.T, r replica) (*http.Response, string) {
		t.Helper()
		res, err := http.Get("http://" + r.addr + prefix + "/.well-known/jwks.json")
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, string(body)
	}

	running := launch(t)
	running.waitFor(t, running.admin, "/readyz")
	_, before := get(t, running)

	// the servers of tests write late
	_, err := testkit.OpenPostgres(t, dsn).Exec(t.Context(), "test.keep", `CHECKPOINT`)
	require.NoError(t, err)
	server.Crash(t)
	starting := launch(t)
	for range 3 {
		res, after := get(t, running)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, before, after, "the last good set")
		status, _ := fetch(t.Context(), "http://"+running.admin+"/readyz")
		require.Equal(t, http.StatusOK, status, "or the ingress wouldn't send requests there")

		res, body := get(t, starting)
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, "no set, and never an empty one")
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
		require.NotEmpty(t, res.Header.Get("Retry-After"))
		require.Contains(t, body, "temporarily_unavailable")
		status, _ = fetch(t.Context(), "http://"+starting.admin+"/readyz")
		require.Equal(t, http.StatusServiceUnavailable, status)
	}

	server.Start(t)
	starting.waitFor(t, starting.admin, "/readyz")
	_, after := get(t, starting)
	require.Equal(t, before, after)
}
