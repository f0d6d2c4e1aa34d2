package sqlstore_test

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func newSealer(t testing.TB) *sealed.Sealer {
	t.Helper()
	s, err := sealed.New([][]byte{bytes.Repeat([]byte{1}, 32)}, rand.Reader)
	require.NoError(t, err)
	return s
}

// RFC 6749 4.1.2: a flow yields one code, so a token yields one row.
func TestASealedRequestBecomesOneRow(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		authorize := sqlstore.NewForAuthorize(db).Sealing(newSealer(t))
		replicas := []*sqlstore.ForSession{
			sqlstore.NewForSession(db).Sealing(newSealer(t)), sqlstore.NewForSession(db).Sealing(newSealer(t)),
		}
		token, err := authorize.Seal(t.Context(), newRequest("flw_1"))
		require.NoError(t, err)
		require.Zero(t, count(t, db, "authorization_requests"))

		seen, err := replicas[0].Flow(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, token, seen.Handle())

		_, failed := race(racers, func(i int) error {
			session := replicas[i%2]
			r, err := session.Flow(t.Context(), token)
			if err == nil {
				err = session.Settle(t.Context(), r, flowStart)
			}
			if err == nil {
				err = session.SetLogin(t.Context(), r.ID, "ada@acme.test", flowStart)
			}
			return err
		})

		require.Empty(t, failed)
		require.Equal(t, 1, count(t, db, "authorization_requests"))

		row, err := replicas[1].Flow(t.Context(), token)
		require.NoError(t, err)
		want := newRequest("flw_1")
		want.LoginEmail = "ada@acme.test"
		require.Equal(t, want, row, "the token names the row from now on")
		require.Equal(t, "flw_1", row.Handle())
	})
}

// RFC 9700 2.1.1: what was used once is used for good.
func TestAUsedTokenMakesNoSecondRow(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		authorize, session := sqlstore.NewForAuthorize(db).Sealing(
			newSealer(t)), sqlstore.NewForSession(db).Sealing(newSealer(t))
		token, err := authorize.Seal(t.Context(), newRequest("flw_1"))
		require.NoError(t, err)
		fresh, err := session.Flow(t.Context(), token)
		require.NoError(t, err)
		require.NoError(t, session.Settle(t.Context(), fresh, flowStart))
		_, err = db.Exec(t.Context(), "test.end", `UPDATE authorization_requests SET expires_at = $1 WHERE id = 'flw_1'`,
			database.At(flowStart.Add(time.Microsecond)))
		require.NoError(t, err)
		require.NoError(t, authorize.Consume(t.Context(), "flw_1", flowStart))

		require.NoError(t, session.Settle(t.Context(), fresh, flowStart), "another tab was a moment later")
		row, err := session.Flow(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, flowStart, row.ConsumedAt)
		require.ErrorIs(t, session.SetLogin(t.Context(), "flw_1", "x", flowStart), grants.ErrConsumed)

		// However early its row expires, it stays until the token has expired.
		last := flowStart.Add(grants.FlowTTL - time.Microsecond)
		// by a replica whose clock is ahead
		_, err = authorize.DeleteExpired(t.Context(), last.Add(4*time.Minute), time.Hour, 10)
		require.NoError(t, err)
		require.Equal(t, 1, count(t, db, "authorization_requests"))

		over := flowStart.Add(grants.FlowTTL)
		_, err = authorize.DeleteExpired(t.Context(), flowStart.Add(2*time.Hour), time.Hour, 10)
		require.NoError(t, err)
		require.Zero(t, count(t, db, "authorization_requests"))
		require.ErrorIs(t, session.Settle(t.Context(), fresh, over), grants.ErrExpired)
		require.Zero(t, count(t, db, "authorization_requests"))
	})
}

func TestAPostedRequestIsNothingAtThePages(t *testing.T) {
	db := testkit.SQLite(t)
	authorize := sqlstore.NewForAuthorize(db).Sealing(newSealer(t))
	kept, err := authorize.Keep(t.Context(), newRequest(""))
	require.NoError(t, err)
	_, err = sqlstore.NewForSession(db).Sealing(newSealer(t)).Flow(t.Context(), kept)
	require.ErrorIs(t, err, grants.ErrNotFound)
	r, err := authorize.Kept(t.Context(), kept)
	require.NoError(t, err)
	require.Equal(t, newRequest("").Authorize.State, r.Authorize.State)

	flow, err := authorize.Seal(t.Context(), newRequest("flw_1"))
	require.NoError(t, err)
	_, err = authorize.Kept(t.Context(), flow)
	require.ErrorIs(t, err, grants.ErrNotFound)
}
