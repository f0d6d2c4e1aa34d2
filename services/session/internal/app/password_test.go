package app_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

func TestAFullHasherDoesNotCountAsAWrongPassword(t *testing.T) {
	w := newWorld(t)
	v := w.atPassword(t, newBrowser(), ada)
	w.fail("VerifyFrom", password.ErrBusy)

	for range 2 * w.signIn.Prover.Guesses.Failures {
		fresh, err := w.signIn.Password(t.Context(), v, right)
		require.True(t, oauth.IsUnavailable(err), "the person is asked to try again: %v", err)
		require.Nil(t, fresh)
	}

	require.Positive(t, w.counts.taken)
	require.Equal(t, w.counts.taken, w.counts.given)
	require.Empty(t, w.trail.kinds())

	w.fail("VerifyFrom", nil)
	fresh, err := w.signIn.Password(t.Context(), v, right)
	require.NoError(t, err, "the person isn't blocked")
	require.NotNil(t, fresh)
}

func TestARequestThatIsCutOffStillGivesItsAttemptBack(t *testing.T) {
	w := newWorld(t)
	v := w.atPassword(t, newBrowser(), ada)

	_, err := w.signIn.Password(w.canceled(t, "Account"), v, right)
	require.ErrorIs(t, err, context.Canceled)
	require.Positive(t, w.counts.taken)
	require.Equal(t, w.counts.taken, w.counts.given)
}

func TestARightPasswordWhoseAttemptCannotBeTakenBackDoesNotSignIn(t *testing.T) {
	for _, method := range []string{"Clear", "GiveBack"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			v := w.atPassword(t, newBrowser(), ada)
			w.fail(method, errDisk)

			fresh, err := w.signIn.Password(t.Context(), v, right)
			require.ErrorIs(t, err, errDisk)
			require.Nil(t, fresh)
			require.Empty(t, w.live(t, "usr_ada"))
		})
	}
}

func TestASignInThatCannotBeWrittenLeavesNothingBehind(t *testing.T) {
	for _, method := range []string{"RecordLogin", "Create"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			v := w.atPassword(t, newBrowser(), ada)
			w.fail(method, errDisk)

			fresh, err := w.signIn.Password(t.Context(), v, right)
			require.ErrorIs(t, err, errDisk)
			require.Nil(t, fresh)
			require.Empty(t, w.live(t, "usr_ada"))
			require.Empty(t, w.trail.kinds())
			require.Equal(t, grants.Undecided, w.row(t, v.Request.ID).Decision)

			w.fail(method, nil)
			fresh, err = w.signIn.Password(t.Context(), v, right)
			require.NoError(t, err, "the same form works once the database does")
			require.NotNil(t, fresh)
		})
	}
}

func TestAHashThatCannotBeUpgradedDoesNotStopTheSignIn(t *testing.T) {
	for method, fault := range map[string]error{"HashFrom": password.ErrBusy, "SetPasswordHash": errDisk} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			w.words.dated = true
			v := w.atPassword(t, newBrowser(), ada)
			w.fail(method, fault)

			fresh, err := w.signIn.Password(t.Context(), v, right)
			require.NoError(t, err)
			require.NotNil(t, fresh)
			require.Contains(t, w.logs.String(), "can't upgrade a password hash")
			require.Contains(t, w.logs.String(), fault.Error())
			require.True(t, w.accepts(t, ada, right))
		})
	}
}

func TestASignInStandsEvenIfTheTrailFails(t *testing.T) {
	w := newWorld(t)
	b := newBrowser()
	v := w.atPassword(t, b, ada)
	w.fail("Record", errDisk)

	fresh, err := w.signIn.Password(t.Context(), v, right)
	require.NoError(t, err)
	b.take(fresh)
	w.open(t, b, v.Request.ID, domain.StepConsent)
	require.Contains(t, w.logs.String(), string(audit.SessionCreated))
	require.Contains(t, w.logs.String(), string(audit.SignedIn))
}

func TestAWrongPasswordCountsEvenIfTheTrailFails(t *testing.T) {
	w := newWorld(t)
	v := w.atPassword(t, newBrowser(), ada)
	w.fail("Record", errDisk)

	for range w.signIn.Prover.Guesses.Failures {
		fresh, err := w.signIn.Password(t.Context(), v, "wrong")
		require.NoError(t, err)
		require.Nil(t, fresh)
	}

	var blocked *limits.Error
	_, err := w.signIn.Password(t.Context(), v, right)
	require.ErrorAs(t, err, &blocked)
	require.Contains(t, w.logs.String(), string(audit.SignInFailed))
	require.Contains(t, w.logs.String(), string(audit.SignInBlocked))
}

func TestTheSlowerOfTwoEqualFormsGetsTheSameCookies(t *testing.T) {
	w := newWorld(t)
	b := newBrowser()
	v := w.atPassword(t, b, ada)
	twin := w.open(t, b, v.Request.ID, domain.StepPassword)

	var first *app.NewCookie
	w.before("Create", func() {
		var err error
		first, err = w.signIn.Password(t.Context(), twin, right)
		require.NoError(t, err)
	})
	second, err := w.signIn.Password(t.Context(), v, right)
	require.NoError(t, err)

	require.Equal(t, first.Value, second.Value)
	require.Equal(t, first.Browser, second.Browser)
	require.Equal(t, first.Accounts, second.Accounts)
	require.Len(t, w.live(t, "usr_ada"), 1)
	require.Equal(t, []audit.Kind{audit.SessionCreated, audit.SignedIn}, w.trail.kinds(), "both told of once")
}

// A flow is bound to one browser cookie, so its successor alone doesn't say whose session it is.
func TestTheSlowerOfTwoPeopleInOneFlowGetsNoCookies(t *testing.T) {
	w := newWorld(t)
	b := newBrowser()
	v := w.atPassword(t, b, ada)
	valid, err := w.signIn.Email(t.Context(), w.open(t, b, v.Request.ID, domain.StepPassword), bob)
	require.NoError(t, err)
	require.True(t, valid)
	faster := w.open(t, b, v.Request.ID, domain.StepPassword)

	w.before("Create", func() {
		_, err := w.signIn.Password(t.Context(), faster, right)
		require.NoError(t, err)
	})
	fresh, err := w.signIn.Password(t.Context(), v, right)
	require.ErrorIs(t, err, app.ErrRenewed)
	require.Nil(t, fresh)
	require.Empty(t, w.live(t, "usr_ada"))
	require.Len(t, w.live(t, "usr_bob"), 1)
}

func TestALostRaceThatCannotBeLookedIntoIsReported(t *testing.T) {
	w := newWorld(t)
	b := newBrowser()
	v := w.atPassword(t, b, ada)
	faster := w.open(t, b, v.Request.ID, domain.StepPassword)

	w.before("Create", func() {
		_, err := w.signIn.Password(t.Context(), faster, right)
		require.NoError(t, err)
		w.fail("Flow", errDisk)
	})
	_, err := w.signIn.Password(t.Context(), v, right)
	require.ErrorIs(t, err, errDisk)
	require.NotErrorIs(t, err, app.ErrRenewed)
}

func TestASecondPersonWhoCannotBeSignedInLeavesTheFirstSignedIn(t *testing.T) {
	w := newWorld(t)
	b, _ := w.signedIn(t, ada)
	v := w.atPassword(t, b, bob)
	w.fail("Create", errDisk)

	_, err := w.signIn.Password(t.Context(), v, right)
	require.ErrorIs(t, err, errDisk)
	require.Empty(t, w.live(t, "usr_bob"))
	require.Len(t, w.live(t, "usr_ada"), 1)
	w.open(t, b, w.flow(t, b, "notes"), domain.StepConsent)
}
