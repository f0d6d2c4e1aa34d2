package device_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// A device is approved by who holds the session's cookie at that moment. A person whose
// cookies are renewed in between sees the form again, and a program is told.
func TestACookieThatIsRenewedMeanwhileApprovesNothing(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		_, session := w.signIn()
		code := w.device()
		// The database answers as it does when the cookies have been renewed.
		approve := w.approval(code, session, w.csrf(code, session))

		if db.Dialect() == database.Postgres {
			w.exec(`CREATE FUNCTION renewed() RETURNS trigger LANGUAGE plpgsql AS
				$$ BEGIN RAISE EXCEPTION 'no proof of the session'; END $$`)
			w.exec(`CREATE TRIGGER renewed BEFORE UPDATE OF decision ON device_codes FOR EACH ROW EXECUTE FUNCTION renewed()`)
		} else {
			w.exec(`CREATE TRIGGER renewed BEFORE UPDATE OF decision ON device_codes BEGIN SELECT RAISE(ABORT, 'no proof of the session'); END`)
		}

		res := w.do(approve)
		require.Equal(t, http.StatusBadRequest, res.StatusCode, res.body)
		require.Contains(t, res.body, "login_required")

		page := approve
		page.page = true
		res = w.do(page)
		require.Equal(t, http.StatusSeeOther, res.StatusCode, res.body)
		require.Equal(t, "/device?user_code="+code, res.Header.Get("Location"))
		require.Zero(t, w.count(`SELECT count(*) FROM device_codes WHERE decision <> ''`))
	})
}
