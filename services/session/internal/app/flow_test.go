package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

func TestAnAddressThatCannotBeKeptIsReportedUnlessTheNextPageExplainsIt(t *testing.T) {
	for _, late := range []error{grants.ErrConsumed, grants.ErrExpired, grants.ErrDecided, grants.ErrNotFound} {
		t.Run(late.Error(), func(t *testing.T) {
			w := newWorld(t)
			b := newBrowser()
			v := w.open(t, b, w.flow(t, b, "notes"), domain.StepEmail)
			w.fail("SetLogin", late)

			valid, err := w.signIn.Email(t.Context(), v, ada)
			require.NoError(t, err)
			require.True(t, valid)
		})
	}

	w := newWorld(t)
	b := newBrowser()
	v := w.open(t, b, w.flow(t, b, "notes"), domain.StepEmail)
	w.fail("SetLogin", errDisk)

	_, err := w.signIn.Email(t.Context(), v, ada)
	require.ErrorIs(t, err, errDisk)
}

func TestAFlowThatEndsWhileItIsDecidedSaysWhy(t *testing.T) {
	for name, c := range map[string]struct{ fault, want error }{
		"it was removed":            {grants.ErrNotFound, app.ErrFlowUnknown},
		"it expired":                {grants.ErrExpired, app.ErrFlowExpired},
		"authorize has used it":     {grants.ErrConsumed, app.ErrFlowFinished},
		"the decision isn't stored": {errDisk, errDisk},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b, _ := w.signedIn(t, ada)
			flow := w.flow(t, b, "desk")
			w.fail("Decide", c.fault)

			_, err := w.signIn.Open(t.Context(), flow, b.sends())
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestLosingTheRaceToDecideLeavesTheDecisionOfTheOtherTab(t *testing.T) {
	w := newWorld(t)
	b, flow := w.signedIn(t, ada)
	allows := w.open(t, b, flow, domain.StepConsent)
	denies := w.open(t, b, flow, domain.StepConsent)

	w.before("Decide", func() { // the other tab is faster
		require.NoError(t, w.signIn.Consent(t.Context(), denies, false))
	})
	require.NoError(t, w.signIn.Consent(t.Context(), allows, true))
	require.Equal(t, grants.Denied, w.row(t, flow).Decision)
	w.open(t, b, flow, domain.StepDone)
}

func TestAConsentThatCannotBeRememberedIsNotGiven(t *testing.T) {
	w := newWorld(t)
	b, flow := w.signedIn(t, ada)
	v := w.open(t, b, flow, domain.StepConsent)
	w.fail("Remember", errDisk)

	require.ErrorIs(t, w.signIn.Consent(t.Context(), v, true), errDisk)
	require.Equal(t, grants.Undecided, w.row(t, flow).Decision)
	require.Empty(t, w.trail.kinds())

	require.NoError(t, w.signIn.Consent(t.Context(), v, false), "a refusal remembers nothing")
	require.Equal(t, grants.Denied, w.row(t, flow).Decision)
}

func TestAConsentThatCannotBeStoredInTheFlowIsNotRecorded(t *testing.T) {
	for name, allow := range map[string]bool{"allowed": true, "denied": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b, flow := w.signedIn(t, ada)
			v := w.open(t, b, flow, domain.StepConsent)
			w.fail("Decide", errDisk)

			require.ErrorIs(t, w.signIn.Consent(t.Context(), v, allow), errDisk)
			require.Empty(t, w.trail.kinds())
		})
	}
}

func TestAConsentStandsEvenIfTheTrailFails(t *testing.T) {
	w := newWorld(t)
	b, flow := w.signedIn(t, ada)
	v := w.open(t, b, flow, domain.StepConsent)
	w.fail("Record", errDisk)

	require.NoError(t, w.signIn.Consent(t.Context(), v, true))
	require.Equal(t, grants.Consented, w.row(t, flow).Decision)
	require.Contains(t, w.logs.String(), string(audit.ConsentGiven))
}

func TestTheTenantOfTheFasterTabCounts(t *testing.T) {
	w := newWorld(t)
	b, flow := w.signedIn(t, bob)
	slower := w.open(t, b, flow, domain.StepTenant)
	faster := w.open(t, b, flow, domain.StepTenant)

	w.before("ChooseTenant", func() {
		_, err := w.signIn.Tenant(t.Context(), faster, "tnt_north")
		require.NoError(t, err)
	})
	_, err := w.signIn.Tenant(t.Context(), slower, "tnt_acme")
	require.NoError(t, err)
	require.Equal(t, "tnt_north", w.live(t, "usr_bob")[0].TenantID)
	require.Equal(t, []audit.Kind{audit.SessionSwitched}, w.trail.kinds(), "the choice that counts")
}

func TestATenantThatCannotBeStoredIsNotChosen(t *testing.T) {
	w := newWorld(t)
	b, flow := w.signedIn(t, bob)
	v := w.open(t, b, flow, domain.StepTenant)
	w.fail("ChooseTenant", errDisk)

	_, err := w.signIn.Tenant(t.Context(), v, "tnt_north")
	require.ErrorIs(t, err, errDisk)
	require.Empty(t, w.live(t, "usr_bob")[0].TenantID)
	require.Empty(t, w.trail.kinds())
	w.open(t, b, flow, domain.StepTenant)
}

// The cookies have changed by then, so the browser has to get them whatever else fails.
func TestASwitchOfTenantKeepsItsCookiesEvenIfTheFlowCannotBeDecided(t *testing.T) {
	w := newWorld(t)
	b, first := w.signedIn(t, bob)
	_, err := w.signIn.Tenant(t.Context(), w.open(t, b, first, domain.StepTenant), "tnt_acme")
	require.NoError(t, err)

	v := w.open(t, b, w.selecting(t, b), domain.StepAccount)
	w.fail("Decide", errDisk)
	fresh, err := w.signIn.Tenant(t.Context(), v, "tnt_north")
	require.ErrorIs(t, err, errDisk)
	require.NotNil(t, fresh)

	s, err := w.sessions.ByCookie(t.Context(), oauth.HashSecret(fresh.Value))
	require.NoError(t, err)
	require.Equal(t, "tnt_north", s.TenantID)
}

func TestAnAccountThatSignsOutWhileItIsChosenIsNotContinued(t *testing.T) {
	w := newWorld(t)
	b, _ := w.signedIn(t, ada)
	v := w.atPassword(t, b, bob)
	fresh, err := w.signIn.Password(t.Context(), v, right)
	require.NoError(t, err)
	b.take(fresh)
	_, err = w.signIn.Tenant(t.Context(), w.open(t, b, v.Request.ID, domain.StepTenant), "tnt_acme")
	require.NoError(t, err)

	v = w.open(t, b, w.selecting(t, b), domain.StepAccount)
	require.Len(t, v.Others, 1)
	chosen := v.Others[0].Session
	w.trail.kinds()

	w.before("Renew", func() { w.end(t, chosen) })
	_, err = w.signIn.Account(t.Context(), v, chosen.ID)
	require.ErrorIs(t, err, app.ErrRenewed)
	require.Empty(t, w.live(t, "usr_ada"))
	require.Empty(t, w.trail.kinds())
}

// selecting starts a flow that asks which account to use (OpenID Connect Core 3.1.2.1).
func (w *world) selecting(t *testing.T, b *browser) string {
	t.Helper()
	w.clock.Advance(time.Minute) // no sign-in in this flow
	id, err := oauth.NewID("req_", w.signIn.Random)
	require.NoError(t, err)
	require.NoError(t, grantstore.NewForAuthorize(w.db).InsertFlow(t.Context(), &grants.Flow{
		ID:          id,
		Kind:        grants.KindAuthorize,
		BrowserHash: oauth.HashSecret(b.browser),
		CreatedAt:   w.clock.Now(),
		ExpiresAt:   w.clock.Now().Add(30 * time.Minute),
		Access:      grants.Access{ClientID: "desk", Scope: oauth.Scopes{oauth.ScopeOpenID}},
		Wishes:      grants.Wishes{Prompt: oauth.Prompt{oauth.PromptSelectAccount}},
		Authorize:   &grants.Authorization{RedirectURI: "https://desk.test/callback"},
	}))

	return id
}

// end ends a session as another replica does.
func (w *world) end(t *testing.T, s *sessions.Session) {
	t.Helper()
	require.NoError(t, w.account.Access.End(t.Context(), s.ID, w.clock.Now()))
}
