package sqlstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestAFlowKeepsTheTypedAddress(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForSession(db)
		waiting(t, db, "flw_1", grants.Undecided)

		for _, email := range []string{"ada@acme.test", "", "o'brien@acme.test"} {
			require.NoError(t, store.SetLogin(t.Context(), "flw_1", email, flowStart))
			request, err := store.Flow(t.Context(), "flw_1")
			require.NoError(t, err)
			require.Equal(t, email, request.LoginEmail)
		}

		require.ErrorIs(t, store.SetLogin(t.Context(), "flw_none", "x", flowStart), grants.ErrNotFound)
		require.ErrorIs(t, store.SetLogin(t.Context(), "flw_1", "x", flowStart.Add(30*time.Minute)), grants.ErrExpired)
		require.NoError(t, sqlstore.NewForAuthorize(db).Consume(t.Context(), "flw_1", flowStart))
		require.ErrorIs(t, store.SetLogin(t.Context(), "flw_1", "x", flowStart), grants.ErrConsumed)
		_, err := store.Flow(t.Context(), "flw_none")
		require.ErrorIs(t, err, grants.ErrNotFound)
	})
}

func TestADecisionMayBeSaidAgainUntilItIsARefusal(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewForSession(db)
		waiting(t, db, "flw_1", grants.Undecided)

		for i, tt := range []struct {
			decision grants.Decision
			session  string
		}{
			{grants.SignedIn, "ses_1"},
			{grants.Consented, "ses_1"},
			{grants.SignedIn, "ses_2"}, // another person signed in after all
			{grants.Denied, "ses_2"},
		} {
			now := flowStart.Add(time.Duration(i) * time.Second)
			require.NoError(t, store.Decide(t.Context(), "flw_1", tt.decision, tt.session, flowTenant.ID, now))
			got, err := store.Flow(t.Context(), "flw_1")
			require.NoError(t, err)
			want := newRequest("flw_1")
			want.Decision, want.SessionID, want.TenantID, want.DecidedAt = tt.decision, tt.session, flowTenant.ID, now
			require.Equal(t, want, got)
		}

		for _, d := range []grants.Decision{grants.SignedIn, grants.Consented, grants.Denied} {
			require.ErrorIs(t,
				store.Decide(t.Context(), "flw_1", d, "ses_2", flowTenant.ID, flowStart), grants.ErrDecided)
		}
	})
}

func TestNothingIsDecidedAbout(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for name, tt := range map[string]struct {
			flow     string
			after    time.Duration
			consumed bool
			want     error
		}{
			"a flow that does not exist": {flow: "flw_none", want: grants.ErrNotFound},
			"a flow that is over":        {flow: "flw_1", after: 30 * time.Minute, want: grants.ErrExpired},
			"a flow that was used":       {flow: "flw_1", consumed: true, want: grants.ErrConsumed},
			"a used flow that is over":   {flow: "flw_1", after: time.Hour, consumed: true, want: grants.ErrConsumed},
		} {
			t.Run(name, func(t *testing.T) {
				empty(t, db)
				waiting(t, db, "flw_1", grants.Undecided)
				if tt.consumed {
					require.NoError(t, sqlstore.NewForAuthorize(db).Consume(t.Context(), "flw_1", flowStart))
				}

				store := sqlstore.NewForSession(db)
				err := store.Decide(t.Context(), tt.flow, grants.SignedIn, "ses_1",
					flowTenant.ID, flowStart.Add(tt.after))
				require.ErrorIs(t, err, tt.want)
				require.Zero(t, count(t, db, "authorization_requests WHERE decided_at IS NOT NULL"))
			})
		}
	})
}

func TestNothingIsDecidedAfterTheEndOfAFlow(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		waiting(t, db, "flw_1", grants.Undecided)
		authorize, session := sqlstore.NewForAuthorize(db), sqlstore.NewForSession(db)
		var consumed error
		decided, failed := race(racers, func(i int) error {
			if i == racers/2 {
				consumed = authorize.Consume(t.Context(), "flw_1", flowStart)
				return consumed
			}
			return session.Decide(t.Context(), "flw_1", grants.SignedIn, "ses_1", flowTenant.ID, flowStart)
		})

		require.NoError(t, consumed, "a decision does not use up a flow")

		for _, err := range failed {
			require.ErrorIs(t, err, grants.ErrConsumed)
		}

		request, err := session.Flow(t.Context(), "flw_1")
		require.NoError(t, err)
		require.Equal(t, decided > 1, request.Decision == grants.SignedIn, "what was answered is what is stored")
	})
}

func TestARefusalStands(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		waiting(t, db, "flw_1", grants.Undecided)
		session := sqlstore.NewForSession(db)
		_, failed := race(racers, func(i int) error {
			d := grants.Consented
			if i%2 == 0 {
				d = grants.Denied
			}
			return session.Decide(t.Context(), "flw_1", d, "ses_1", flowTenant.ID, flowStart)
		})
		for _, err := range failed {
			require.ErrorIs(t, err, grants.ErrDecided)
		}

		request, err := session.Flow(t.Context(), "flw_1")
		require.NoError(t, err)
		require.Equal(t, grants.Denied, request.Decision)
		require.ErrorIs(t,
			sqlstore.NewForAuthorize(db).IssueFromRequest(t.Context(), newCode("a", "flw_1"), flowStart),
			grants.ErrNotFound)
	})
}

func TestSessionHearsThatItsCallerWentAway(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		waiting(t, db, "flw_1", grants.Undecided)
		store := sqlstore.NewForSession(db)
		requireCanceled(t, map[string]func(context.Context) error{
			"Flow":     func(ctx context.Context) error { _, err := store.Flow(ctx, "flw_1"); return err },
			"SetLogin": func(ctx context.Context) error { return store.SetLogin(ctx, "flw_1", "x", flowStart) },
			"Decide": func(ctx context.Context) error {
				return store.Decide(ctx, "flw_1", grants.SignedIn, "ses_1", flowTenant.ID, flowStart)
			},
		})

		got, err := store.Flow(t.Context(), "flw_1")
		require.NoError(t, err)
		require.Equal(t, newRequest("flw_1"), got, "as if nothing had happened")
	})
}
