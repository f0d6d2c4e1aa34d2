package sqlstore_test

import (
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestARefusalAndACodeExcludeEachOther(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		authorize, session := sqlstore.NewForAuthorize(db), sqlstore.NewForSession(db)
		waiting(t, db, "flw_1", grants.SignedIn)
		var denied, issued atomic.Int32
		_, failed := race(racers, func(i int) error {
			if i%2 == 0 {
				err := session.Decide(t.Context(), "flw_1", grants.Denied, "ses_1", flowTenant.ID, flowStart)
				if err == nil {
					denied.Add(1)
				}
				return err
			}

			err := authorize.IssueFromRequest(t.Context(), newCode(strconv.Itoa(i), "flw_1"), flowStart)
			if err == nil {
				issued.Add(1)
			}

			return err
		})

		require.EqualValues(t, 1, denied.Load()+issued.Load())

		for _, err := range failed {
			if issued.Load() == 1 {
				require.ErrorIs(t, err, grants.ErrConsumed)
			} else {
				require.True(t, errors.Is(err, grants.ErrDecided) || errors.Is(err, grants.ErrNotFound), err)
			}
		}

		request, err := session.Flow(t.Context(), "flw_1")
		require.NoError(t, err)
		require.Equal(t, denied.Load() == 1, request.Decision == grants.Denied)
		require.EqualValues(t, issued.Load(), count(t, db, "authorization_codes"))
		require.Equal(t, issued.Load() == 1, !request.ConsumedAt.IsZero())
	})
}

func TestACodeIsForTheSessionThatHasTheLastWord(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		authorize, session := sqlstore.NewForAuthorize(db), sqlstore.NewForSession(db)
		waiting(t, db, "flw_1", grants.SignedIn)
		// Somebody else signs in while the first one's code is being made.
		_, failed := race(racers, func(i int) error {
			if i%2 == 0 {
				return session.Decide(t.Context(), "flw_1", grants.SignedIn, "ses_2", flowTenant.ID, flowStart)
			}
			return authorize.IssueFromRequest(t.Context(), newCode(strconv.Itoa(i), "flw_1"), flowStart)
		})
		for _, err := range failed {
			require.True(t, errors.Is(err, grants.ErrConsumed) || errors.Is(err, grants.ErrNotFound), err)
		}

		request, err := session.Flow(t.Context(), "flw_1")
		require.NoError(t, err)

		if request.ConsumedAt.IsZero() {
			require.Equal(t, "ses_2", request.SessionID)
			require.Zero(t, count(t, db, "authorization_codes"))
		} else {
			require.Equal(t, "ses_1", request.SessionID, "a finished flow can't be taken over")
			require.Equal(t, 1, count(t, db, "authorization_codes WHERE session_id = 'ses_1'"))
		}
	})
}

func TestASignInForADeviceIsConsumedByOne(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForDevice(db)
		request := newRequest("flw_1")
		request.Kind = grants.KindDevice
		require.NoError(t, store.InsertFlow(t.Context(), request))
		requireOneWinner(t, func(int) error { return store.Consume(t.Context(), "flw_1", flowStart) })

		require.NoError(t, store.InsertFlow(t.Context(), newRequest("flw_2")))
		require.ErrorIs(t, store.Consume(t.Context(), "flw_2", flowStart), grants.ErrNotFound,
			"an application's flow is not the device service's")
		require.Equal(t, 1, count(t, db, "authorization_requests WHERE consumed_at IS NULL"))
	})
}

// RFC 8628 3.2, 6.1.
func TestAUserCodeIsGivenOutOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForDevice(db)
		var won atomic.Int32
		_, failed := race(racers, func(i int) error {
			inserted, err := store.InsertDeviceCode(t.Context(), deviceCode(strconv.Itoa(i), "BBBB-BBBB"))
			if inserted {
				won.Add(1)
			}
			return err
		})

		require.Empty(t, failed)
		require.EqualValues(t, 1, won.Load())
		require.Equal(t, 1, count(t, db, "device_codes"))
	})
}

func TestAllSweepersAtOnceRemoveEachRowOnce(t *testing.T) {
	later := flowStart.Add(24 * time.Hour)
	for name, tt := range map[string]struct {
		fill  func(t *testing.T, db *database.DB, i int)
		sweep func(t *testing.T, db *database.DB) (int, error)
	}{
		"codes": {
			func(t *testing.T, db *database.DB, i int) {
				require.NoError(t, sqlstore.NewForAuthorize(db).Issue(t.Context(), newCode(strconv.Itoa(i), "")))
			},
			func(t *testing.T, db *database.DB) (int, error) {
				return sqlstore.NewForAuthorize(db).DeleteExpired(t.Context(), later, time.Hour, 3)
			},
		},
		"grants": {
			func(t *testing.T, db *database.DB, i int) {
				change(t, db,
					`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, offline, created_at, expires_at)
					VALUES ($1, 'c', 'u', 't', 's', 'openid', false, $2, $2)`, strconv.Itoa(i), database.At(flowStart))
			},
			func(t *testing.T, db *database.DB) (int, error) {
				return sqlstore.NewForToken(db).DeleteExpired(t.Context(), later, 3)
			},
		},
		"device codes": {
			func(t *testing.T, db *database.DB, i int) {
				_, err := sqlstore.NewForDevice(db).InsertDeviceCode(t.Context(),
					deviceCode(strconv.Itoa(i), strconv.Itoa(i)))
				require.NoError(t, err)
			},
			func(t *testing.T, db *database.DB) (int, error) {
				return sqlstore.NewForDevice(db).DeleteExpired(t.Context(), later, 3)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
				const rows = 30
				for i := range rows {
					tt.fill(t, db, i)
				}

				var removed atomic.Int64
				_, failed := race(10, func(int) error {
					// No more sweeps than are needed if no two do the same work.
					n, err := tt.sweep(t, db)
					if n > 3 {
						return errors.New("more than the batch")
					}
					removed.Add(int64(n))
					return err
				})

				require.Empty(t, failed)

				for left := 1; left > 0; removed.Add(int64(left)) {
					var err error
					left, err = tt.sweep(t, db)
					require.NoError(t, err)
				}

				require.EqualValues(t, rows, removed.Load())
			})
		})
	}
}
