package ending_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/ending"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// adasWeb is what ada allowed web in acme.
var adasWeb = ending.Withdrawal{UserID: "ada", TenantID: "acme", ClientID: "web"}

func withdraw(t *testing.T, db *database.DB, w ending.Withdrawal) (ended ending.Ended) {
	t.Helper()
	require.NoError(t, db.TxAgain(t.Context(), "test.withdraw", func(tx *database.Tx) (err error) {
		ended, err = ending.WithdrawTx(t.Context(), tx, w, start)
		return err
	}))
	return ended
}

// approvedDevice inserts a device code that its person approved in a session.
func approvedDevice(t *testing.T, db *database.DB, name, client, sessionID, user, tenant string) {
	t.Helper()
	store := grantstore.NewForDevice(db)
	d := &grants.DeviceCode{
		Hash:      []byte(name),
		UserCode:  name,
		ClientID:  client,
		Interval:  5 * time.Second,
		CreatedAt: start,
		ExpiresAt: start.Add(10 * time.Minute),
		Decision:  grants.DeviceApproved,
		DecidedAt: start,
		GrantID:   name,
		UserID:    user,
		TenantID:  tenant,
		SessionID: sessionID,
		AuthTime:  start,
		ACR:       "1",
		AMR:       []string{"pwd"},
	}
	_, err := store.InsertDeviceCode(t.Context(), d)
	require.NoError(t, err)
	require.NoError(t, store.Decide(t.Context(), d, start))
}

// RFC 6749 10.4, RFC 8628 3.5 and OpenID Connect Back-Channel Logout 1.0 2.5.
func TestAWithdrawalEndsOneApplicationsAccessAndTellsIt(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		populate(t, db)
		approvedDevice(t, db, "adas-tv", "web", "ada.acme", "ada", "acme")
		approvedDevice(t, db, "bobs-tv", "web", "bob.acme", "bob", "acme")

		ended := withdraw(t, db, adasWeb)
		require.Equal(t, ending.Ended{Grants: 2, Pending: 2, Notices: 1}, ended)
		require.Equal(t, []string{"ada.acme.web.false", "ada.acme.web.true"}, ids(t, db, deadGrants))
		require.Equal(t, []string{"ada.acme.web.code"}, ids(t, db, deadCodes))
		require.Equal(t, []string{"adas-tv"},
			ids(t, db, `SELECT grant_id FROM device_codes WHERE expires_at = created_at`))
		require.Equal(t, []string{"ada.acme:web"}, ids(t, db, notices))
		require.Empty(t, ids(t, db, deadSessions), "she stays signed in")

		require.ErrorIs(t, redeem(t, db, "ada.acme.web.code", "web", "ada.acme", "ada", "acme", true), grants.ErrExpired)
		require.NoError(t, redeem(t, db, "ada.acme.cli.code", "cli", "ada.acme", "ada", "acme", true))
		require.NoError(t, redeem(t, db, "ada.bolt.web.code", "web", "ada.bolt", "ada", "bolt", true))
		require.Zero(t, withdraw(t, db, adasWeb), "a second time there is nothing")

		code(t, db, "again", "web", "ada.acme", "ada", "acme", true)
		require.NoError(t, redeem(t, db, "again", "web", "ada.acme", "ada", "acme", true), "allowed anew")
	})
}

func TestAWithdrawalNamesAllThree(t *testing.T) {
	db := testkit.SQLite(t)
	for _, w := range []ending.Withdrawal{
		{}, {UserID: "ada", TenantID: "acme"}, {UserID: "ada", ClientID: "web"}, {TenantID: "acme", ClientID: "web"},
	} {
		require.Error(t, db.Tx(t.Context(), "test.withdraw", func(tx *database.Tx) error {
			_, err := ending.WithdrawTx(t.Context(), tx, w, start)
			return err
		}), w)
	}
}

// Whichever comes first, a redemption or the withdrawal, no grant stays alive.
func TestARedemptionUnderWayDoesNotOutliveAWithdrawal(t *testing.T) {
	const racers = 24
	testkit.OnTwoReplicas(t, func(t *testing.T, one, other *database.DB) {
		seed(t, one)
		session(t, one, "ses", "ada", "acme")
		for i := range racers {
			code(t, one, fmt.Sprint("code", i), "web", "ses", "ada", "acme", true)
		}

		begin := make(chan struct{})
		var racing sync.WaitGroup
		for i := range racers {
			racing.Go(func() {
				<-begin
				db := [2]*database.DB{one, other}[i%2]
				_ = redeem(t, db, fmt.Sprint("code", i), "web", "ses", "ada", "acme", true) // may succeed or fail
			})
		}

		racing.Go(func() {
			<-begin
			assert.NoError(t, other.TxAgain(t.Context(), "test.withdraw", func(tx *database.Tx) error {
				_, err := ending.WithdrawTx(t.Context(), tx, adasWeb, start)
				return err
			}))
		})

		close(begin)
		racing.Wait()

		for _, id := range ids(t, one, `SELECT id FROM grants`) {
			standing, err := grantstore.NewForToken(one).Standing(t.Context(), id, nil, start)
			require.NoError(t, err)
			require.False(t, standing.Live(), id)
		}
	})
}

// The rights in roles.sql and the statements here must agree.
func TestTheSessionServiceMayWithdraw(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	populate(t, testkit.OpenPostgres(t, url))
	ended := withdraw(t, testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_session")), adasWeb)
	require.Equal(t, 2, ended.Grants)
}
