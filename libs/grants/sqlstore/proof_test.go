package sqlstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// Both cookies of a browser prove its sessions, and no row keeps the proof.
func TestACookieOfTheSessionProvesIt(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		accounts := oauth.HashSecret("accounts")
		for name, proof := range map[string][]byte{"session": cookieHash, "accounts": accounts} {
			empty(t, db)
			change(t, db, `DELETE FROM device_codes`)
			seedPeople(t, db)
			change(t, db, `UPDATE sessions SET browser_hash = $1`, accounts)
			code, d, issued, approved := claims["what the session says"].forge(t, db, db, proof)
			require.NoError(t, issued, name)
			require.NoError(t, approved, name)

			for _, table := range []string{"authorization_codes", "device_codes"} {
				require.Equal(t, 1, count(t, db, table+" WHERE session_proof IS NULL"), "%s: %s", name, table)
			}

			requireRedeemed(t, db, code, d, true)
		}
	})
}

// A cookie that was renewed between the look at the session and the code proves nothing
// any more, and the request waits for the new one.
func TestACookieFromBeforeARenewalProvesNothing(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		request := newRequest("flw_1")
		require.NoError(t, sqlstore.NewForAuthorize(db).InsertFlow(t.Context(), request))
		require.NoError(t, sqlstore.NewForSession(db).Decide(t.Context(), request.ID, grants.SignedIn, "ses_1",
			flowTenant.ID, flowStart))
		renewed := oauth.HashSecret("renewed")
		change(t, db, `UPDATE sessions SET cookie_hash = $1`, renewed)

		_, _, issued, approved := claims["what the session says"].forge(t, db, db, cookieHash)
		require.ErrorIs(t, issued, grants.ErrUnproven)
		require.ErrorIs(t, approved, grants.ErrUnproven)

		code := newCode("answered", request.ID)
		code.SessionProof = cookieHash
		require.ErrorIs(t, sqlstore.NewForAuthorize(db).IssueFromRequest(t.Context(), code, flowStart),
			grants.ErrUnproven)
		code.SessionProof = renewed
		require.NoError(t, sqlstore.NewForAuthorize(db).IssueFromRequest(t.Context(), code, flowStart))
		require.Equal(t, 1, count(t, db, "authorization_codes"))
	})
}

// A code issued in time goes on when the cookies are renewed before it is redeemed.
func TestACodeOutlivesARenewalOfTheCookies(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		code, d, issued, approved := claims["what the session says"].forge(t, db, db, cookieHash)
		require.NoError(t, issued)
		require.NoError(t, approved)
		change(t, db, `UPDATE sessions SET cookie_hash = $1, last_seen_at = $2`, oauth.HashSecret("renewed"),
			database.At(flowStart.Add(time.Second)))
		requireRedeemed(t, db, code, d, true)
	})
}
