package authorize_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// renewing has the database refuse every code as it does when the session's cookies were
// renewed between the look at the session and the code, as a sign-in in another tab may.
// The function returned ends that.
func (w *world) renewing() (stop func()) {
	w.t.Helper()
	if w.db.Dialect() == database.Postgres {
		w.exec(`CREATE FUNCTION renewed() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN RAISE EXCEPTION 'no proof of the session'; END $$`)
		w.exec(`CREATE TRIGGER renewed BEFORE INSERT ON authorization_codes FOR EACH ROW EXECUTE FUNCTION renewed()`)
		return func() { w.exec(`DROP TRIGGER renewed ON authorization_codes`) }
	}

	w.exec(`CREATE TRIGGER renewed BEFORE INSERT ON authorization_codes BEGIN SELECT RAISE(ABORT, 'no proof of the session'); END`)
	return func() { w.exec(`DROP TRIGGER renewed`) }
}

// A code is for who holds the session's cookie when it is issued. Otherwise the pages look
// again, and an application that wants no page hears that it needs one (OpenID Connect
// Core 3.1.2.6).
func TestACookieThatIsRenewedMeanwhileGetsNoCode(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.consent(ada, "web", "", "openid profile")
		flow, browser := w.start(webParams(nil))
		w.clock.Advance(time.Minute)
		sid, session := w.signIn(ada, nil)
		w.decide(flow, sid, grants.SignedIn)

		stop := w.renewing()
		require.NotEmpty(t, w.do(visit{session: session, params: webParams(nil)}).toPages())
		silent := visit{session: session, params: webParams(url.Values{"prompt": {"none"}})}
		require.Equal(t, "login_required", w.do(silent).toApplication(callback+"&").Get("error"))
		require.Equal(t, flow, w.back(flow, browser).toPages())
		require.Zero(t, w.count(`SELECT count(*) FROM authorization_codes`))
		require.Zero(t, w.count(`SELECT count(*) FROM authorization_requests WHERE consumed_at IS NOT NULL`),
			"the request waits for the other cookie")

		stop()
		require.NotEmpty(t, w.back(flow, browser).toApplication(callback+"&").Get("code"))
	})
}
