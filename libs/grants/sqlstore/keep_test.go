package sqlstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestAGrantIsKeptAsLongAsItsSessionMayLast(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		end := flowStart.Add(30 * 24 * time.Hour)
		change(t, db, `UPDATE sessions SET expires_at = $1`, database.At(end))
		redeemed(t, db, "a", nil) // its tokens last an hour
		store := sqlstore.NewForToken(db)
		for _, c := range []struct {
			now  time.Time
			want int
		}{{end.Add(-time.Microsecond), 0}, {end, 1}} {
			n, err := store.DeleteExpired(t.Context(), c.now, 10)
			require.NoError(t, err)
			require.Equal(t, c.want, n, "an application that had a token hears of the logout")
		}
	})
}
