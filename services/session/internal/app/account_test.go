package app_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// change is a form that changes the password, as it should be filled in.
func change() app.PasswordChange {
	return app.PasswordChange{Current: right, New: other, Repeated: other, EndOthers: true}
}

func TestAPasswordThatIsChangedElsewhereMeanwhileIsNotReplaced(t *testing.T) {
	w := newWorld(t)
	_, me := w.atHome(t, ada)
	elsewhere := change()
	elsewhere.New, elsewhere.Repeated = "a third long password", "a third long password"

	w.before("SetPasswordHash", func() {
		problem, _, err := w.account.ChangePassword(t.Context(), me, elsewhere)
		require.NoError(t, err)
		require.Equal(t, domain.PasswordFine, problem)
	})
	problem, fresh, err := w.account.ChangePassword(t.Context(), me, change())
	require.NoError(t, err)
	require.Equal(t, domain.PasswordStale, problem)
	require.Nil(t, fresh)
	require.True(t, w.accepts(t, ada, elsewhere.New))
	require.Equal(t, []audit.Kind{audit.PasswordChanged}, w.trail.kinds(), "the change that counts")
}

func TestAPasswordThatCannotBeStoredStaysAsItWas(t *testing.T) {
	for method, fault := range map[string]error{"HashFrom": password.ErrBusy, "SetPasswordHash": errDisk} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			w.signedIn(t, ada) // elsewhere
			_, me := w.atHome(t, ada)
			w.fail(method, fault)

			_, fresh, err := w.account.ChangePassword(t.Context(), me, change())
			require.ErrorIs(t, err, fault)
			require.Nil(t, fresh)
			require.True(t, w.accepts(t, ada, right))
			require.Len(t, w.live(t, "usr_ada"), 2)
			require.Empty(t, w.trail.kinds())
		})
	}
}

func TestAFullHasherIsNotAWrongCurrentPassword(t *testing.T) {
	w := newWorld(t)
	_, me := w.atHome(t, ada)
	w.fail("VerifyFrom", password.ErrBusy)

	for range 2 * w.account.Prover.Guesses.Failures {
		problem, _, err := w.account.ChangePassword(t.Context(), me, change())
		require.True(t, oauth.IsUnavailable(err), "the person is asked to try again: %v", err)
		require.NotEqual(t, domain.PasswordCurrent, problem)
	}

	w.fail("VerifyFrom", nil)
	problem, _, err := w.account.ChangePassword(t.Context(), me, change())
	require.NoError(t, err, "the person isn't blocked")
	require.Equal(t, domain.PasswordFine, problem)
}

func TestAPasswordIsChangedEvenIfOtherAccessCannotBeEndedYet(t *testing.T) {
	w := newWorld(t)
	w.signedIn(t, ada) // elsewhere
	b, me := w.atHome(t, ada)
	w.fail("EndElsewhere", errDisk)

	_, fresh, err := w.account.ChangePassword(t.Context(), me, change())
	require.ErrorIs(t, err, errDisk)
	require.Nil(t, fresh)
	require.True(t, w.accepts(t, ada, other))
	require.Equal(t, []audit.Kind{audit.PasswordChanged}, w.trail.kinds(), "no session has ended")

	w.fail("EndElsewhere", nil)
	me, err = w.account.Me(t.Context(), b.sends())
	require.NoError(t, err, "the browser keeps its cookies")
	require.NoError(t, w.account.EndOthers(t.Context(), me))
	require.Len(t, w.live(t, "usr_ada"), 1)
	require.Equal(t, []audit.Kind{audit.SessionEnded}, w.trail.kinds())
}

func TestAPasswordChangeStandsEvenIfTheTrailFails(t *testing.T) {
	w := newWorld(t)
	w.signedIn(t, ada) // elsewhere
	_, me := w.atHome(t, ada)
	w.fail("Record", errDisk)

	problem, fresh, err := w.account.ChangePassword(t.Context(), me, change())
	require.NoError(t, err)
	require.Equal(t, domain.PasswordFine, problem)
	require.NotNil(t, fresh)
	require.Len(t, w.live(t, "usr_ada"), 1)
	require.Contains(t, w.logs.String(), string(audit.PasswordChanged))
	require.Contains(t, w.logs.String(), string(audit.SessionEnded))
}

func TestASessionThatEndsWhileThePasswordIsChangedGetsNoNewCookies(t *testing.T) {
	w := newWorld(t)
	_, me := w.atHome(t, ada)
	w.before("Renew", func() { w.end(t, me.Session) })

	problem, fresh, err := w.account.ChangePassword(t.Context(), me, change())
	require.ErrorIs(t, err, app.ErrRenewed)
	require.Equal(t, domain.PasswordFine, problem)
	require.Nil(t, fresh)
	require.True(t, w.accepts(t, ada, other))
}

func TestAccessThatCannotBeEndedIsNotRecordedAsEnded(t *testing.T) {
	for method, end := range map[string]func(ctx context.Context, w *world, me *app.Me, elsewhere string) error{
		"End": func(ctx context.Context, w *world, me *app.Me, elsewhere string) error {
			return w.account.EndDevice(ctx, me, elsewhere)
		},
		"EndElsewhere": func(ctx context.Context, w *world, me *app.Me, _ string) error {
			return w.account.EndOthers(ctx, me)
		},
		"Withdraw": func(ctx context.Context, w *world, me *app.Me, _ string) error {
			return w.account.Withdraw(ctx, me, "notes", "tnt_acme")
		},
		"Leave": func(ctx context.Context, w *world, me *app.Me, _ string) error {
			_, err := w.account.Leave(ctx, me)
			return err
		},
	} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			w.signedIn(t, ada)
			elsewhere := w.live(t, "usr_ada")[0].ID
			b, flow := w.signedIn(t, ada)
			require.NoError(t, w.signIn.Consent(t.Context(), w.open(t, b, flow, domain.StepConsent), true))
			me, err := w.account.Me(t.Context(), b.sends())
			require.NoError(t, err)
			w.trail.kinds()

			w.fail(method, errDisk)
			require.ErrorIs(t, end(t.Context(), w, me, elsewhere), errDisk)
			require.Empty(t, w.trail.kinds())
			require.Len(t, w.live(t, "usr_ada"), 2)

			w.fail(method, nil)
			require.NoError(t, end(t.Context(), w, me, elsewhere))
			require.Len(t, w.trail.kinds(), 1)
		})
	}
}
