package session

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// What the process that is to die is told, by environment.
const (
	crashDatabase = "SESSION_TEST_CRASH_DATABASE"
	crashTarget   = "SESSION_TEST_CRASH_TARGET"
	crashCookies  = "SESSION_TEST_CRASH_COOKIES"
	crashAnswered = "answered with "
)

// TestTheProcessThatIsKilled is the part of the next test that its second process
// plays: a service that answers one logout and then hangs.
func TestTheProcessThatIsKilled(t *testing.T) {
	if os.Getenv(crashDatabase) == "" {
		return
	}

	db := crashOpen(t, os.Getenv(crashDatabase))
	w := &world{
		t:       t,
		db:      db,
		service: db,
		clock:   testkit.NewClock(started),
	}

	w.openKeys()
	service, err := build(testConfig(t), w.deps(), nil)
	require.NoError(t, err)
	w.handler = service.Handler
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, os.Getenv(crashTarget), http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Cookie", os.Getenv(crashCookies))
	answer, err := w.RoundTrip(r)
	require.NoError(t, err)
	fmt.Println(crashAnswered + answer.Status)
	select {}
}

// crashOpen opens a database by a PostgreSQL URL or the path of a SQLite file.
func crashOpen(t *testing.T, where string) *database.DB {
	t.Helper()
	if strings.HasPrefix(where, "postgres") {
		return testkit.OpenPostgres(t, where)
	}

	db, err := sqlite.Open(t.Context(), where, database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// OpenID Connect Back-Channel Logout 1.0 2.5: the notice is in the database before
// the person is told that they are signed out, so kill -9 between the two loses
// nothing; the next process on that database sends it.
func TestALogoutSurvivesItsProcessBeingKilledBeforeItIsSent(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		server := testkit.PostgresServer(t)
		owner := server.NewDatabase(t)
		role := server.LoginURL(t, owner, "platform_session")
		survives(t, newWorld(t, testkit.OpenPostgres(t, owner), testkit.OpenPostgres(t, role)), role)
	})

	t.Run("sqlite, by a new process on the same file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "platform.db")
		db := crashOpen(t, file)
		_, _, err := database.Migrate(t.Context(), db, nil)
		require.NoError(t, err)
		survives(t, newWorld(t, db, db), file)
	})
}

func survives(t *testing.T, w *world, where string) {
	t.Helper()
	l := listen(t, nil)
	sign := w.signer()
	w.listening("billing", l.URL, "")
	b := w.signedIn()
	sid := b.session().ID
	w.holds("billing", sid)
	var cookies []string
	for _, c := range b.Cookies(origin) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}

	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestTheProcessThatIsKilled$")
	child.Env = append(os.Environ(), crashDatabase+"="+where,
		crashTarget+"="+query("id_token_hint", sign("JWT", idToken(sid))),
		crashCookies+"="+strings.Join(cookies, "; "))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewScanner(out)
	answered := false
	for !answered && lines.Scan() {
		answered = strings.HasPrefix(lines.Text(), crashAnswered+"200")
	}

	require.NoError(t, child.Process.Kill(), "kill -9")
	require.Error(t, child.Wait())
	require.True(t, answered, lines.Text())
	require.True(t, w.ended(sid))
	l.silent(t)

	if !strings.HasPrefix(where, "postgres") { // a new handle of the file that the dead process left
		w.service = crashOpen(t, where)
	}

	w.replica(backchannelConfig(t))
	_, claims := w.opened(l.next(t), signing.RS256)
	require.Equal(t, sid, claims["sid"])
	w.settled(0)
}
