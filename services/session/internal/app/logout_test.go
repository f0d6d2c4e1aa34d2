package app_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
)

func TestALogoutThatCannotBeStoredKeepsThePersonSignedIn(t *testing.T) {
	w := newWorld(t)
	b, _ := w.signedIn(t, ada)
	out, err := w.logout.Prepare(t.Context(), app.LogoutRequest{}, b.sends())
	require.NoError(t, err)
	w.fail("Leave", errDisk)

	fresh, err := w.logout.End(t.Context(), out, b.sends())
	require.ErrorIs(t, err, errDisk)
	require.Nil(t, fresh)
	require.Empty(t, w.trail.kinds())
	_, err = w.account.Me(t.Context(), b.sends())
	require.NoError(t, err)
}

func TestALogoutStandsEvenIfTheTrailFails(t *testing.T) {
	w := newWorld(t)
	b, _ := w.signedIn(t, ada)
	out, err := w.logout.Prepare(t.Context(), app.LogoutRequest{}, b.sends())
	require.NoError(t, err)
	w.fail("Record", errDisk)

	fresh, err := w.logout.End(t.Context(), out, b.sends())
	require.NoError(t, err)
	require.NotNil(t, fresh)
	require.Empty(t, fresh.Value, "the browser gets no session cookie")
	require.Empty(t, w.live(t, "usr_ada"))
	require.Contains(t, w.logs.String(), string(audit.SignedOut))
}

func TestTheSlowerOfTwoLogoutsReplacesNoCookies(t *testing.T) {
	w := newWorld(t)
	b, _ := w.signedIn(t, ada)
	out, err := w.logout.Prepare(t.Context(), app.LogoutRequest{}, b.sends())
	require.NoError(t, err)

	w.before("Leave", func() {
		first, err := w.logout.End(t.Context(), out, b.sends())
		require.NoError(t, err)
		require.NotNil(t, first)
	})
	second, err := w.logout.End(t.Context(), out, b.sends())
	require.NoError(t, err)
	require.Nil(t, second, "the cookies of the first answer stay")
}

func TestAHintIsNotRefusedWhileThereAreNoKeysToCheckIt(t *testing.T) {
	w := newWorld(t)
	key := signingtest.NewKey(t, w.keys, signing.RS256, 1, start)
	signer := signing.NewRing(signing.RingOptions{
		Schedule: signingtest.NewSchedule(key),
		Backend:  w.keys,
		Now:      w.clock.Now,
	})
	hint, err := signer.Sign(t.Context(), signing.RS256, signing.TypeJWT, map[string]any{
		"iss": w.logout.Issuer,
		"sub": "usr_ada",
		"aud": "desk",
	})
	require.NoError(t, err)
	request := app.LogoutRequest{IDTokenHint: hint}

	_, err = w.logout.Prepare(t.Context(), request, newBrowser().sends())
	require.ErrorIs(t, err, signing.ErrNoKey)
	require.True(t, oauth.IsUnavailable(err), "the application is asked to try again: %v", err)
	require.False(t, errors.As(err, new(*oauth.Error)), "a refusal would be for good: %v", err)

	w.schedule.Set(key)
	require.NoError(t, w.ring.Load(t.Context()))
	out, err := w.logout.Prepare(t.Context(), request, newBrowser().sends())
	require.NoError(t, err)
	require.Equal(t, "desk", out.App.ClientID)
	require.True(t, out.AtOnce)
}
