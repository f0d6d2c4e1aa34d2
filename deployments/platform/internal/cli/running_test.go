package cli

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestTheTrailIsFollowed(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		o.done("tenant", "create", "one", "--name", "One")
		o.done("tenant", "create", "two", "--name", "Two")
		follow := o.start("audit", "--follow", "--json", "--limit", "1")
		follow.ready(`"action":"created"`)
		o.done("tenant", "create", "three", "--name", "Three")
		o.done("tenant", "create", "four", "--name", "Four")
		require.Eventually(t, func() bool { return len(lines(follow.out.String())) == 3 }, patience, 5*time.Millisecond)
		require.Equal(t, exitDone, follow.end())
		require.Len(t, lines(follow.out.String()), 3, "each row once")

		text := o.start("audit", "--follow")
		require.Regexp(t, `^AT +KIND +SERVICE +ABOUT\n`, text.ready("tenant_changed"))
		require.Equal(t, exitDone, text.end())
	})
}

func TestListsAreEmptyListsAsJSON(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		for _, command := range [][]string{
			{"app", "list"}, {"tenant", "list"}, {"user", "list"}, {"session", "list"}, {"audit"},
		} {
			require.Equal(t, "[]\n", o.done(append(command, "-o", "json")...), command)
		}
	})
}

// A row that arrives after one that sorts behind it is still printed.
func TestALateRowOfTheTrailIsPrinted(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		add := func(at time.Time, kind string) {
			o.exec(`INSERT INTO audit_events (id, at, kind, service) VALUES ($1, $2, $3, 'token')`,
				"aud_"+at.Format("0102150405.000")+rand.Text(), database.At(at), kind)
		}
		now := time.Now()
		add(now, "in.time")
		follow := o.start("audit", "--follow", "-o", "json")
		follow.ready("in.time")
		add(now.Add(-5*time.Second), "late")
		follow.ready("late")
		require.Equal(t, exitDone, follow.end())
	})
}

// tokenStatus returns the status of a token request by the application job.
func tokenStatus(t *testing.T, addr, secret string) int {
	t.Helper()
	values := url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"}, "client_secret": {secret}}
	resp, err := http.PostForm("http://"+addr+"/api/v1/platform/oauth/token", values)
	if err != nil {
		t.Log(err)
		return 0
	}

	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestARunningPlatformNoticesWithinTheBound(t *testing.T) {
	d := newDesk(t)
	addr := testkit.FreeAddr(t)
	u := d.up("--listen", addr, "--admin-listen", testkit.FreeAddr(t))
	u.ready("is ready")
	becomes := func(want int, secret string) {
		t.Helper()
		require.Eventually(t, func() bool { return tokenStatus(t, addr, secret) == want }, patience, time.Second,
			"asked so seldom that it is not taken for guessing")
	}

	var created, rotated manifest.Report
	d.json(&created, "app", "create", "job", "--name", "Job", "--type", "SERVICE", "--grant", "client_credentials")
	first := created.Secrets[0].Secret
	becomes(http.StatusOK, first)
	d.json(&rotated, "app", "rotate-secret", "job")
	becomes(http.StatusOK, rotated.Secrets[0].Secret)
	require.Equal(t, http.StatusOK, tokenStatus(t, addr, first), "two secrets are valid at once")
	d.done("app", "disable", "job")
	becomes(http.StatusUnauthorized, first)
	require.Equal(t, exitDone, u.end(), u.err.String())
}
