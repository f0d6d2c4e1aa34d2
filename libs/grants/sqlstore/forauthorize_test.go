package sqlstore_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// waiting stores a request that session ses_1 has answered with decision d.
func waiting(t *testing.T, db *database.DB, id string, d grants.Decision) {
	t.Helper()
	require.NoError(t, sqlstore.NewForAuthorize(db).InsertFlow(t.Context(), newRequest(id)))
	if d != grants.Undecided {
		require.NoError(t, sqlstore.NewForSession(db).Decide(t.Context(), id, d, "ses_1", flowTenant.ID, flowStart))
	}
}

func TestARequestIsReadAsItWasWritten(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForAuthorize(db)
		full := newRequest("flw_full")
		full.CreatedAt = bornElsewhere
		bare := &grants.Flow{
			ID:          "flw_bare",
			Kind:        grants.KindDevice,
			BrowserHash: []byte{0, 0xff},
			CreatedAt:   flowStart,
			ExpiresAt:   flowStart.Add(time.Microsecond),
			Access:      grants.Access{ClientID: "tv"},
			Device:      &grants.DeviceSignIn{UserCode: "BBBB-BBBB"},
		}
		for _, want := range []*grants.Flow{full, bare} {
			require.NoError(t, store.InsertFlow(t.Context(), want))
			got, err := store.Flow(t.Context(), want.ID)
			require.NoError(t, err)
			expected := *want
			expected.CreatedAt = flowStart // in UTC and whole microseconds
			require.Equal(t, &expected, got)
		}

		require.Error(t, store.InsertFlow(t.Context(), newRequest("flw_full")), "an id is used once")
		_, err := store.Flow(t.Context(), "flw_none")
		require.ErrorIs(t, err, grants.ErrNotFound)
	})
}

func TestACodeIsReadAsItWasWritten(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		want := newCode("a", "")
		issued := *want
		issued.CreatedAt = bornElsewhere
		require.NoError(t, sqlstore.NewForAuthorize(db).Issue(t.Context(), &issued))
		got, err := sqlstore.NewForToken(db).Redeemable(t.Context(), want.Hash, flowStart)
		require.NoError(t, err)
		require.Equal(t, *want, got.AuthorizationCode)

		same := newCode("a", "")
		same.GrantID = "grt_other"
		err = sqlstore.NewForAuthorize(db).Issue(t.Context(), same)
		require.Equal(t, database.KindConflict, database.Classify(t.Context(), err))
	})
}

func TestARequestEndsInOneCode(t *testing.T) {
	for _, decision := range []grants.Decision{grants.SignedIn, grants.Consented} {
		t.Run(string(decision), func(t *testing.T) {
			testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
				seedPeople(t, db)
				waiting(t, db, "flw_1", decision)
				store := sqlstore.NewForAuthorize(db)
				want := newCode("a", "flw_1")
				now := flowStart.Add(time.Second)
				require.NoError(t, store.IssueFromRequest(t.Context(), want, now))

				got, err := sqlstore.NewForToken(db).Redeemable(t.Context(), want.Hash, now)
				require.NoError(t, err)
				require.Equal(t, *want, got.AuthorizationCode)
				request, err := store.Flow(t.Context(), "flw_1")
				require.NoError(t, err)
				require.Equal(t, now, request.ConsumedAt)
				require.ErrorIs(t, store.IssueFromRequest(t.Context(), newCode("b", "flw_1"), now), grants.ErrConsumed)
				require.ErrorIs(t, store.Consume(t.Context(), "flw_1", now), grants.ErrConsumed)
				require.Equal(t, 1, count(t, db, "authorization_codes"))
			})
		})
	}
}

func TestNoCodeComesOf(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for name, tt := range map[string]struct {
			decision grants.Decision
			alter    func(*grants.AuthorizationCode)
			after    time.Duration
			want     error
		}{
			"an unanswered request": {decision: grants.Undecided, want: grants.ErrNotFound},
			"a refusal":             {decision: grants.Denied, want: grants.ErrNotFound},
			"a request that does not exist": {
				decision: grants.SignedIn,
				alter:    func(c *grants.AuthorizationCode) { c.RequestID = "flw_none" },
				want:     grants.ErrNotFound,
			},
			"another session's answer": {
				decision: grants.SignedIn,
				alter:    func(c *grants.AuthorizationCode) { c.SessionID = "ses_2" },
				want:     grants.ErrNotFound,
			},
			"a request that is over": {
				decision: grants.SignedIn,
				after:    30 * time.Minute,
				want:     grants.ErrExpired,
			},
			"a refusal that is over": {decision: grants.Denied, after: time.Hour, want: grants.ErrExpired},
			"a request a second before it is": {
				decision: grants.SignedIn,
				after:    30*time.Minute - time.Second,
				want:     nil,
			},
		} {
			t.Run(name, func(t *testing.T) {
				empty(t, db)
				waiting(t, db, "flw_1", tt.decision)
				code := newCode("a", "flw_1")
				if tt.alter != nil {
					tt.alter(code)
				}

				err := sqlstore.NewForAuthorize(db).IssueFromRequest(t.Context(), code, flowStart.Add(tt.after))
				if tt.want == nil {
					require.NoError(t, err)
					return
				}

				require.ErrorIs(t, err, tt.want)
				require.Zero(t, count(t, db, "authorization_codes"))
				require.Zero(t, count(t, db, "authorization_requests WHERE consumed_at IS NOT NULL"),
					"it may still be answered")
			})
		}
	})
}

func TestADeviceSignInEndsInNoCode(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		request := newRequest("flw_1")
		request.Kind = grants.KindDevice
		require.NoError(t, sqlstore.NewForDevice(db).InsertFlow(t.Context(), request))
		require.NoError(t,
			sqlstore.NewForSession(db).Decide(t.Context(), "flw_1", grants.SignedIn, "ses_1", flowTenant.ID, flowStart))
		require.ErrorIs(t,
			sqlstore.NewForAuthorize(db).IssueFromRequest(t.Context(), newCode("a", "flw_1"), flowStart),
			grants.ErrNotFound)
	})
}

func TestACodeThatCannotBeStoredLeavesItsRequestOpen(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForAuthorize(db)
		waiting(t, db, "flw_1", grants.SignedIn)
		require.NoError(t, store.Issue(t.Context(), newCode("a", "")))
		err := store.IssueFromRequest(t.Context(), newCode("a", "flw_1"), flowStart)
		require.Equal(t, database.KindConflict, database.Classify(t.Context(), err))
		require.NoError(t, store.IssueFromRequest(t.Context(), newCode("b", "flw_1"), flowStart))
	})
}

func TestARequestEndsWithoutACodeOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForAuthorize(db)
		waiting(t, db, "flw_1", grants.Denied)
		waiting(t, db, "flw_2", grants.Undecided)
		require.NoError(t, store.Consume(t.Context(), "flw_1", flowStart))
		require.ErrorIs(t, store.Consume(t.Context(), "flw_1", flowStart), grants.ErrConsumed)
		require.ErrorIs(t, store.Consume(t.Context(), "flw_1", flowStart.Add(time.Hour)), grants.ErrConsumed)
		require.ErrorIs(t, store.Consume(t.Context(), "flw_2", flowStart.Add(time.Hour)), grants.ErrExpired)
		require.ErrorIs(t, store.Consume(t.Context(), "flw_none", flowStart), grants.ErrNotFound)
	})
}

func TestOfManyBrowserTabsOneGetsTheCode(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		waiting(t, db, "flw_1", grants.SignedIn)
		store := sqlstore.NewForAuthorize(db)
		requireOneWinner(t, func(i int) error {
			return store.IssueFromRequest(t.Context(), newCode(strconv.Itoa(i), "flw_1"), flowStart)
		})
		require.Equal(t, 1, count(t, db, "authorization_codes"))
	})
}

func TestCodeAndRefusalAtOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		waiting(t, db, "flw_1", grants.SignedIn)
		store := sqlstore.NewForAuthorize(db)
		requireOneWinner(t, func(i int) error {
			if i%2 == 0 {
				return store.Consume(t.Context(), "flw_1", flowStart)
			}
			return store.IssueFromRequest(t.Context(), newCode(strconv.Itoa(i), "flw_1"), flowStart)
		})

		require.LessOrEqual(t, count(t, db, "authorization_codes"), 1)
	})
}

func TestWhatIsOverGoesInBatches(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForAuthorize(db)
		for i := range 5 {
			n := strconv.Itoa(i)
			require.NoError(t, store.InsertFlow(t.Context(), newRequest("flw_"+n)))
			require.NoError(t, store.Issue(t.Context(), newCode(n, "")))
		}

		kept := newRequest("flw_kept")
		kept.ExpiresAt = flowStart.Add(3 * time.Hour)
		require.NoError(t, store.InsertFlow(t.Context(), kept))
		late := newCode("late", "")
		late.ExpiresAt = flowStart.Add(66 * time.Minute)
		require.NoError(t, store.Issue(t.Context(), late))

		now := flowStart.Add(30*time.Minute + grants.KeepFlows) // the very end of the requests
		sweep := func(keepCodes time.Duration) int {
			n, err := store.DeleteExpired(t.Context(), now, keepCodes, 3)
			require.NoError(t, err)
			return n
		}

		require.Equal(t, 3, sweep(2*time.Hour), "requests only: a replay must find its code")
		require.Equal(t, 2, sweep(2*time.Hour))
		require.Zero(t, sweep(2*time.Hour))
		require.Equal(t, 6, count(t, db, "authorization_codes"))
		require.Equal(t, 3, sweep(64*time.Minute), "codes a minute after the start")
		require.Equal(t, 2, sweep(64*time.Minute))
		require.Zero(t, sweep(64*time.Minute))
		require.Equal(t, 1, count(t, db, "authorization_requests"))
		require.Equal(t, 1, count(t, db, "authorization_codes"))
	})
}

func TestReplicasThatSweepAtOnceDoNotWaitForEachOther(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForAuthorize(db)
		for i := range racers {
			require.NoError(t, store.InsertFlow(t.Context(), newRequest("flw_"+strconv.Itoa(i))))
		}

		removed := make([]int, 10)
		_, failed := race(len(removed), func(i int) (err error) {
			for range racers {
				n, err := store.DeleteExpired(t.Context(), flowStart.Add(2*time.Hour), time.Hour, 3)
				if err != nil {
					return err
				}
				removed[i] += n
			}
			return nil
		})

		require.Empty(t, failed)
		total := 0
		for _, n := range removed {
			total += n
		}

		require.Equal(t, racers, total)
		require.Zero(t, count(t, db, "authorization_requests"))
	})
}

func TestARowInUseIsLeftToTheNextSweep(t *testing.T) {
	db := testkit.Postgres(t)
	store := sqlstore.NewForAuthorize(db)
	require.NoError(t, store.InsertFlow(t.Context(), newRequest("flw_1")))
	require.NoError(t, store.InsertFlow(t.Context(), newRequest("flw_2")))
	require.NoError(t, db.Tx(t.Context(), "test.hold", func(tx *database.Tx) error {
		var id string
		if err := tx.Get(t.Context(), "test.hold", &id,
			`SELECT id FROM authorization_requests WHERE id = 'flw_1' FOR UPDATE`); err != nil {
			return err
		}

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		n, err := store.DeleteExpired(ctx, flowStart.Add(2*time.Hour), time.Hour, 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		return nil
	}))
}

func TestAuthorizeHearsThatItsCallerWentAway(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForAuthorize(db)
		waiting(t, db, "flw_1", grants.SignedIn)
		requireCanceled(t, map[string]func(context.Context) error{
			"InsertFlow": func(ctx context.Context) error {
				return store.InsertFlow(ctx,
					newRequest("flw_2"))
			},
			"Flow":  func(ctx context.Context) error { _, err := store.Flow(ctx, "flw_1"); return err },
			"Issue": func(ctx context.Context) error { return store.Issue(ctx, newCode("a", "")) },
			"IssueFromRequest": func(ctx context.Context) error {
				return store.IssueFromRequest(ctx,
					newCode("b", "flw_1"), flowStart)
			},
			"Consume": func(ctx context.Context) error { return store.Consume(ctx, "flw_1", flowStart) },
			"DeleteExpired": func(ctx context.Context) error {
				_, err := store.DeleteExpired(ctx, flowStart.Add(time.Hour), 0, 1)
				return err
			},
		})

		require.Equal(t, 1, count(t, db, "authorization_requests WHERE consumed_at IS NULL"))
		require.Zero(t, count(t, db, "authorization_codes"))
		require.NoError(t, store.IssueFromRequest(t.Context(), newCode("b", "flw_1"), flowStart),
			"as if nothing had happened")
	})
}

func TestNothingSecretIsInAnErrorOfACode(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForAuthorize(db)
		require.NoError(t, store.Issue(t.Context(), newCode("a", "")))
		err := store.Issue(t.Context(), newCode("a", ""))
		require.Error(t, err)
		for _, secret := range []string{string(oauth.HashSecret("a")), "grt_a", "usr_ada", "app.test"} {
			require.NotContains(t, err.Error(), secret)
		}
	})
}
