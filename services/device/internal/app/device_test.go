package app_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/services/device/internal/app"
	"github.com/platform-oauth/platform-oauth/services/device/internal/domain"
)

const wrongCode = "BBBB-BBBB"

func TestAUserCodeThatIsTakenIsDrawnAgain(t *testing.T) {
	w := newWorld(t)
	w.codes.taken = 4
	require.NotEmpty(t, w.issue(t))

	w.codes.taken = 5 // no longer chance: the random source is broken
	issued, err := w.Authorize(t.Context(),
		clientauth.Credentials{ClientID: "tv", Method: clientauth.None}, address, domain.Request{})
	require.ErrorContains(t, err, "no free user code")
	require.Nil(t, issued)
}

func TestALookUpThatFailsIsNoWrongGuess(t *testing.T) {
	w := newWorld(t)
	userCode := w.issue(t)
	w.codes.find = errDisk

	for range 2 * w.GuessRule.Failures {
		_, err := w.Look(t.Context(), userCode, visitor())
		require.ErrorIs(t, err, errDisk)
		require.NotErrorIs(t, err, app.ErrUnknownCode)
	}

	require.Positive(t, w.counts.taken)
	require.Equal(t, w.counts.taken, w.counts.given)

	w.codes.find = nil
	_, err := w.Look(t.Context(), userCode, visitor())
	require.NoError(t, err, "the person isn't blocked")
}

func TestARequestThatIsCutOffStillGivesItsGuessBack(t *testing.T) {
	w := newWorld(t)
	userCode := w.issue(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.codes.beforeFind = cancel

	_, err := w.Look(ctx, userCode, visitor())
	require.ErrorIs(t, err, context.Canceled)
	require.Positive(t, w.counts.taken)
	require.Equal(t, w.counts.taken, w.counts.given)
}

func TestAGuessThatCannotBeGivenBackIsReported(t *testing.T) {
	w := newWorld(t)
	userCode := w.issue(t)
	w.counts.giveBack = errDisk

	_, err := w.Look(t.Context(), userCode, visitor())
	require.ErrorIs(t, err, errDisk)
}

func TestAWrongGuessThatCannotBeCountedGetsNoAnswer(t *testing.T) {
	for name, fail := range map[string]func(*world){
		"the waiting codes can't be counted":   func(w *world) { w.codes.count = errDisk },
		"the platform's total can't be raised": func(w *world) { w.counts.fail = errDisk },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			fail(w)

			_, err := w.Look(t.Context(), wrongCode, visitor())
			require.ErrorIs(t, err, errDisk)
			require.NotErrorIs(t, err, app.ErrUnknownCode, "an attacker would learn that the guess was wrong")
		})
	}
}

func TestABlockIsStartedEvenIfTheTrailFails(t *testing.T) {
	w := newWorld(t)
	w.trail.fault = errDisk
	for range w.GuessRule.Failures {
		_, err := w.Look(t.Context(), wrongCode, visitor())
		require.ErrorIs(t, err, app.ErrUnknownCode)
	}

	var blocked *limits.Error
	_, err := w.Look(t.Context(), wrongCode, visitor())
	require.ErrorAs(t, err, &blocked)
	require.Contains(t, w.logs.String(), string(audit.UserCodeBlocked))
}

func TestLosingTheRaceToDecideShowsTheDecisionThatCounts(t *testing.T) {
	w := newWorld(t)
	userCode := w.issue(t)
	first, err := w.Look(t.Context(), userCode, visitor())
	require.NoError(t, err)
	second, err := w.Look(t.Context(), userCode, visitor())
	require.NoError(t, err)

	w.codes.beforeDec = func() { // the other tab is faster
		w.codes.beforeDec = nil
		require.NoError(t, w.Decide(t.Context(), first, visitor(), grants.DeviceDenied))
	}
	err = w.Decide(t.Context(), second, visitor(), grants.DeviceApproved)
	require.ErrorIs(t, err, app.ErrUnknownCode)
	require.Equal(t, grants.DeviceDenied, second.Decided)
	require.Len(t, w.trail.events, 1)
	require.Equal(t, audit.DeviceDenied, w.trail.events[0].Kind)
}

func TestADecisionThatCannotBeStoredIsNotRecorded(t *testing.T) {
	w := newWorld(t)
	visit, err := w.Look(t.Context(), w.issue(t), visitor())
	require.NoError(t, err)
	w.codes.decide = errDisk

	require.ErrorIs(t, w.Decide(t.Context(), visit, visitor(), grants.DeviceApproved), errDisk)
	require.Empty(t, w.trail.events)
}

func TestADecisionStandsEvenIfTheTrailFails(t *testing.T) {
	w := newWorld(t)
	userCode := w.issue(t)
	visit, err := w.Look(t.Context(), userCode, visitor())
	require.NoError(t, err)
	w.trail.fault = errDisk

	require.NoError(t, w.Decide(t.Context(), visit, visitor(), grants.DeviceApproved))
	require.Contains(t, w.logs.String(), string(audit.DeviceApproved))
	again, err := w.Look(t.Context(), userCode, visitor())
	require.ErrorIs(t, err, app.ErrUnknownCode)
	require.Equal(t, grants.DeviceApproved, again.Decided)
}

func TestAReturnFromTheSignInPagesWorksInBothOfTwoTabs(t *testing.T) {
	w := newWorld(t)
	userCode := w.issue(t)
	visit, err := w.Look(t.Context(), userCode, app.Visitor{Address: address})
	require.NoError(t, err)
	flow, browser, err := w.SignIn(t.Context(), visit, app.Visitor{Address: address})
	require.NoError(t, err)
	require.NoError(t, w.rows.Decide(t.Context(), flow, grants.SignedIn, "ses_1", acme, start))
	back := visitor()
	back.Browser = browser

	w.flows.consume = errDisk
	got, _, err := w.Return(t.Context(), flow, back)
	require.ErrorIs(t, err, errDisk)
	require.Empty(t, got)

	w.flows.consume = grants.ErrConsumed // by the other tab, a moment ago
	got, pages, err := w.Return(t.Context(), flow, back)
	require.NoError(t, err)
	require.Equal(t, userCode, got)
	require.Empty(t, pages)
}
