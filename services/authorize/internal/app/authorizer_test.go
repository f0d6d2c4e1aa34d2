package app_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/app"
)

func TestACodeThatCannotBeStoredIsNotHandedOut(t *testing.T) {
	w := newWorld(t)
	w.codes.fault = errDisk

	answer, err := w.Start(t.Context(), request(), browser())
	require.ErrorIs(t, err, errDisk)
	require.Nil(t, answer, "the application isn't told of our faults")
	require.Empty(t, w.trail.events)
	require.Empty(t, w.sessions.touched)
}

func TestATrailThatFailsHoldsBackNoCode(t *testing.T) {
	w := newWorld(t)
	w.trail.fault = errDisk

	answer, err := w.Start(t.Context(), request(), browser())
	require.NoError(t, err)
	require.NotEmpty(t, answer.Params.Get("code"))
	require.Contains(t, w.logs.String(), "level=ERROR")
	require.Contains(t, w.logs.String(), w.codes.issued[0].GrantID)
	require.Equal(t, []string{"ses_1"}, w.sessions.touched, "the session was used all the same")
}

func TestASessionThatCannotBeTouchedHoldsBackNoCode(t *testing.T) {
	w := newWorld(t)
	w.sessions.touch = errDisk

	answer, err := w.Start(t.Context(), request(), browser())
	require.NoError(t, err)
	require.NotEmpty(t, answer.Params.Get("code"))
	require.Contains(t, w.logs.String(), "level=WARN")
	require.Len(t, w.trail.events, 1)
}

func TestTheTrailSaysWhetherThePersonSawAPage(t *testing.T) {
	w := newWorld(t)
	_, err := w.Start(t.Context(), request(), browser())
	require.NoError(t, err)

	flow, visitor := w.decided(t, grants.SignedIn)
	_, err = w.Continue(t.Context(), flow, visitor)
	require.NoError(t, err)

	require.Len(t, w.trail.events, 2)
	for i, how := range []string{"silent", "pages"} {
		require.Equal(t, audit.CodeIssued, w.trail.events[i].Kind)
		require.Equal(t, how, w.trail.events[i].Detail["how"])
		require.Equal(t, w.codes.issued[i].GrantID, w.trail.events[i].GrantID)
	}
}

func TestAFlowThatAnotherTabDecidedAgainGoesBackToThePages(t *testing.T) {
	w := newWorld(t)
	flow, visitor := w.decided(t, grants.SignedIn)
	w.codes.fault = grants.ErrNotFound // it isn't this session's any more

	answer, err := w.Continue(t.Context(), flow, visitor)
	require.NoError(t, err)
	require.Equal(t, flow, answer.Pages)
	require.Nil(t, answer.Reply)
	require.Empty(t, w.trail.events)
}

func TestAFlowThatAnotherRequestEndedFirstIsOver(t *testing.T) {
	for _, end := range []error{grants.ErrConsumed, grants.ErrExpired} {
		w := newWorld(t)
		flow, visitor := w.decided(t, grants.SignedIn)
		w.codes.fault = end

		_, err := w.Continue(t.Context(), flow, visitor)
		_, over := errors.AsType[*app.OverError](err)
		require.True(t, over, "%v: %v", end, err)
		require.Empty(t, w.trail.events)
	}
}

func TestAFaultAtTheLastStepLeavesTheFlowUsable(t *testing.T) {
	w := newWorld(t)
	flow, visitor := w.decided(t, grants.SignedIn)
	w.codes.fault = errDisk

	_, err := w.Continue(t.Context(), flow, visitor)
	require.ErrorIs(t, err, errDisk)
	_, over := errors.AsType[*app.OverError](err)
	require.False(t, over, "the person may try again")

	w.codes.fault = nil
	answer, err := w.Continue(t.Context(), flow, visitor)
	require.NoError(t, err)
	require.NotEmpty(t, answer.Params.Get("code"))
}

func TestARefusalThatCannotBeStoredIsNotReported(t *testing.T) {
	w := newWorld(t)
	flow, visitor := w.decided(t, grants.Denied)
	w.flows.consume = errDisk

	answer, err := w.Continue(t.Context(), flow, visitor)
	require.ErrorIs(t, err, errDisk)
	require.Nil(t, answer, "the flow could be answered a second time")

	w.flows.consume = grants.ErrConsumed // by the same button, pressed twice
	_, err = w.Continue(t.Context(), flow, visitor)
	_, over := errors.AsType[*app.OverError](err)
	require.True(t, over, "%v", err)

	w.flows.consume = nil
	answer, err = w.Continue(t.Context(), flow, visitor)
	require.NoError(t, err)
	require.Equal(t, "access_denied", answer.Params.Get("error"))
}

func TestPeopleWhoCannotBeListedAreNotTakenForNone(t *testing.T) {
	w := newWorld(t)
	w.sessions.list = errDisk
	silent := request()
	silent.Prompt, _ = oauth.ParsePrompt("none")
	visitor := browser()
	visitor.Accounts = "accounts cookie"

	answer, err := w.Start(t.Context(), silent, visitor)
	require.ErrorIs(t, err, errDisk)
	require.Nil(t, answer)
	require.Empty(t, w.codes.issued, "which of several people is meant isn't known")
}

func TestABrowserThatStartedTooMuchStoresNothing(t *testing.T) {
	w := newWorld(t)
	w.counter.until = start.Add(time.Minute)
	visitor := browser()
	visitor.Session = ""

	answer, err := w.Start(t.Context(), request(), visitor)
	_, limited := errors.AsType[*limits.Error](err)
	require.True(t, limited, "%v", err)
	require.Nil(t, answer)
	require.Zero(t, w.flows.stored)
}

func TestAHintThatNoKeyCanCheckIsNotCalledInvalid(t *testing.T) {
	w := newWorld(t) // its key ring is empty
	hinted := request()
	hinted.IDTokenHint = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEiLCJ0eXAiOiJKV1QifQ.e30.AAAA"

	answer, err := w.Start(t.Context(), hinted, browser())
	require.Nil(t, answer, "an application that is told invalid_request won't try again")
	wire, ok := errors.AsType[*oauth.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, oauth.TemporarilyUnavailable, wire.Code)
}
