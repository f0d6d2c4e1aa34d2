package sqlstore_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var deviceNow = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func deviceCode(secret, userCode string) *grants.DeviceCode {
	return &grants.DeviceCode{
		Hash:      oauth.HashSecret(secret),
		UserCode:  userCode,
		ClientID:  "tv",
		Scope:     oauth.Scopes{"openid", "profile"},
		Resource:  "https://api.test",
		Interval:  5 * time.Second,
		Address:   "192.0.2.1",
		CreatedAt: deviceNow,
		ExpiresAt: deviceNow.Add(10 * time.Minute),
	}
}

// RFC 8628 3.3.
func TestADeviceCodeIsFoundByItsUserCode(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForDevice(db)
		want := deviceCode("a", "BBBB-BBBB")
		inserted, err := store.InsertDeviceCode(t.Context(), want)
		require.NoError(t, err)
		require.True(t, inserted)
		got, err := store.DeviceByUserCode(t.Context(), "BBBB-BBBB")
		require.NoError(t, err)
		require.Equal(t, want, got)
		_, err = store.DeviceByUserCode(t.Context(), "CCCC-CCCC")
		require.ErrorIs(t, err, grants.ErrNotFound)

		inserted, err = store.InsertDeviceCode(t.Context(), deviceCode("b", "BBBB-BBBB"))
		require.NoError(t, err, "a taken user code isn't an error")
		require.False(t, inserted)
	})
}

// RFC 8628 3.3.
func TestADeviceIsDecidedOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForDevice(db)
		code := deviceCode("a", "BBBB-BBBB")
		_, err := store.InsertDeviceCode(t.Context(), code)
		require.NoError(t, err)
		require.ErrorIs(t, store.Decide(t.Context(), deviceCode("other", "BBBB-BBBB"), deviceNow), grants.ErrNotFound)
		require.ErrorIs(t, store.Decide(t.Context(), code, code.ExpiresAt), grants.ErrExpired)

		var (
			wg      sync.WaitGroup
			mu      sync.Mutex
			winners []string
			others  []error
		)
		for i := range 50 {
			wg.Go(func() {
				c := *code
				c.Decision, c.GrantID, c.UserID, c.TenantID = grants.DeviceApproved, "gnt_"+
					strconv.Itoa(i), "usr_ada", "tnt_acme"
				c.AuthTime, c.ACR, c.AMR = deviceNow, "1", []string{"pwd"}
				err := store.Decide(t.Context(), &c, deviceNow)
				mu.Lock()
				defer mu.Unlock()

				if err == nil {
					winners = append(winners, c.GrantID)
				} else {
					others = append(others, err)
				}
			})
		}

		wg.Wait()
		require.Len(t, winners, 1)

		for _, err := range others {
			require.True(t, errors.Is(err, grants.ErrDecided), err)
		}

		poll, err := sqlstore.NewForToken(db).PollDevice(t.Context(), code.Hash, "tv", deviceNow)
		require.NoError(t, err)
		require.Equal(t, winners[0], poll.GrantID)
		require.Equal(t, []string{"pwd"}, poll.AMR)
		require.Equal(t, deviceNow, poll.AuthTime)
	})
}

func TestASignInForADeviceIsConsumedOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForDevice(db)
		row := &grants.Flow{
			ID:          "flw_1",
			Kind:        grants.KindDevice,
			BrowserHash: []byte("hash"),
			CreatedAt:   deviceNow,
			ExpiresAt:   deviceNow.Add(time.Minute),
			Access:      grants.Access{ClientID: "tv", Scope: oauth.Scopes{"openid"}},
			Device:      &grants.DeviceSignIn{UserCode: "BBBB-BBBB"},
		}

		require.NoError(t, store.InsertFlow(t.Context(), row))
		got, err := store.Flow(t.Context(), "flw_1")
		require.NoError(t, err)
		require.Equal(t, row, got)
		require.ErrorIs(t, store.Consume(t.Context(), "flw_1", row.ExpiresAt), grants.ErrExpired)
		require.NoError(t, store.Consume(t.Context(), "flw_1", deviceNow))
		require.ErrorIs(t, store.Consume(t.Context(), "flw_1", deviceNow), grants.ErrConsumed)
		require.ErrorIs(t, store.Consume(t.Context(), "flw_2", deviceNow), grants.ErrNotFound)
	})
}

func TestExpiredDeviceCodesGoInBatches(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForDevice(db)
		for i, userCode := range []string{"BBBB-BBBB", "CCCC-CCCC", "DDDD-DDDD"} {
			_, err := store.InsertDeviceCode(t.Context(), deviceCode(strconv.Itoa(i), userCode))
			require.NoError(t, err)
		}

		for _, want := range []int{2, 1, 0} {
			n, err := store.DeleteExpired(t.Context(), deviceNow.Add(time.Hour), 2)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
	})
}
