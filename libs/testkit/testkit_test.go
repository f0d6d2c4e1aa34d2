package testkit_test

import (
	"bufio"
	"bytes"
	"database/sql"
	"net"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const insertTenant = `INSERT INTO tenants (id, slug, name, created_at, updated_at) VALUES ('a', 'a', 'A', $1, $1)`

func TestEachDatabaseIsMigratedAndFresh(t *testing.T) {
	for range 2 {
		testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
			require.NoError(t, db.CheckSchema(t.Context()))
			n, err := db.Exec(t.Context(), "test.insert", insertTenant, database.At(testTime))
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
		})
	}
}

func TestALoginRoleActsAsItsGroup(t *testing.T) {
	server := testkit.PostgresServer(t)
	owner := server.NewDatabase(t)
	db := testkit.OpenPostgres(t, server.LoginURL(t, owner, "platform_token"))

	var member bool
	require.NoError(t,
		db.Get(t.Context(), "test.member", &member, `SELECT pg_has_role(current_user, 'platform_token', 'MEMBER')`))
	require.True(t, member)
	_, err := db.Exec(t.Context(), "test.insert", insertTenant, database.At(testTime))
	require.ErrorContains(t, err, "permission denied")
}

func TestAnEmptyDatabaseHasNoSchema(t *testing.T) {
	db := testkit.OpenPostgres(t, testkit.PostgresServer(t).EmptyDatabase(t))
	latest, err := database.LatestSchema()
	require.NoError(t, err)
	require.Equal(t, &database.SchemaError{Have: 0, Need: latest}, db.CheckSchema(t.Context()))
}

func TestAServerOfItsOwnStopsWhenTold(t *testing.T) {
	server := testkit.OwnPostgresServer(t)
	target := server.URL("postgres")
	require.NoError(t, ping(t, target))
	server.Stop()
	server.Stop()
	require.Error(t, ping(t, target))
}

// The test starts itself again, only to start a server and to be killed.
const childVariable = "PLATFORM_TESTKIT_CHILD"

func TestTheServerDoesNotOutliveAKilledTestBinary(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		_, _ = os.Stdout.WriteString("URL " + testkit.PostgresServer(t).URL("postgres") + "\n")
		select {} // until killed
	}

	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), childVariable+"=1")
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	target := ""
	for lines := bufio.NewScanner(out); target == "" && lines.Scan(); {
		if found, ok := bytes.CutPrefix(lines.Bytes(), []byte("URL ")); ok {
			target = string(found)
		}
	}

	require.NotEmpty(t, target)
	require.NoError(t, ping(t, target))
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())

	u, err := url.Parse(target)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", u.Host)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, testkit.Patience, 20*time.Millisecond, "the server still listens")
}

func TestLoggerMayOutliveItsTest(t *testing.T) {
	var log func(msg string, args ...any)
	t.Run("inner", func(t *testing.T) { log = testkit.Logger(t).Info })
	require.NotPanics(t, func() { log("late") })
}

func ping(t *testing.T, target string) error {
	t.Helper()
	db, err := sql.Open("postgres", target)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	return db.PingContext(t.Context())
}
