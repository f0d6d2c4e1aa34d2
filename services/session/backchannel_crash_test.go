package session

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
	db := testkit.OpenPostgres(t, os.Getenv(crashDatabase))
	w := &world{t: t, db: db, service: db, clock: testkit.NewClock(started)}
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

func TestALogoutSurvivesItsProcessBeingKilledBeforeItIsSent(t *testing.T) {
	server := testkit.PostgresServer(t)
	owner := server.NewDatabase(t)
	role := server.LoginURL(t, owner, "platform_session")
	w := newWorld(t, testkit.OpenPostgres(t, owner), testkit.OpenPostgres(t, role))
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
	child.Env = append(os.Environ(), crashDatabase+"="+role, crashTarget+"="+query("id_token_hint", sign("JWT", idToken(sid))),
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

	w.replica(backchannelConfig(t))
	_, claims := w.opened(l.next(t), signing.RS256)
	require.Equal(t, sid, claims["sid"])
	w.settled(0)
}
