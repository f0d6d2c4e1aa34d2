package session

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// OpenID Connect Core 3.1.2.1, prompt=login, and 2, auth_time; RFC 6265 8.4: the
// same person's session goes on, and what applications hold with it.
func TestAReauthenticationKeepsTheSessionAndItsGrants(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(nil)
		b.signIn(page, "ada@acme.test")
		first, cookieBefore := b.session(), b.sessionCookie()
		w.insertGrant("gnt_online", first.ID, false)
		w.insertGrant("gnt_offline", first.ID, true)

		w.clock.Advance(time.Minute)
		id, page := b.flow(prompt(oauth.PromptLogin))
		p := b.Get(page)
		require.Equal(t, "Sign in", p.H1(), "prompt=login asks although there is a session")
		w.returns(b.signIn(page, "ada@acme.test"), id)
		second := b.session()
		require.Equal(t, first.ID, second.ID)
		require.NotEqual(t, cookieBefore, b.sessionCookie())
		require.Equal(t, w.clock.Now(), second.AuthTime)
		require.Equal(t, second.ID, w.request(id).SessionID)
		require.True(t, second.EndedAt.IsZero())
		require.False(t, w.revoked("gnt_online"))
		require.False(t, w.revoked("gnt_offline"))
		require.Equal(t, 0, w.count(`SELECT count(*) FROM logout_outbox`), "no application is told of a logout")
	})
}

// RFC 6265 8.4, session fixation.
func TestAPlantedSessionCookieIsNeverTakenOver(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		planted, err := oauth.NewSecret(strings.NewReader(strings.Repeat("p", 32)))
		require.NoError(t, err)
		u, _ := url.Parse(origin)
		b.Client().Jar.SetCookies(u, []*http.Cookie{{Name: "platform_session", Value: planted, Path: "/"}})
		_, page := b.flow(nil)
		b.signIn(page, "ada@acme.test")

		for _, c := range b.Cookies(origin) {
			require.NotEqual(t, planted, c.Value)
		}
	})
}

// OpenID Connect Core 3.1.2.3.
func TestASessionSignsTheNextFlowInWithoutAPage(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(nil)
		b.signIn(page, "ada@acme.test")
		w.clock.Advance(time.Hour)
		id, page := b.flow(nil)
		w.returns(b.Get(page), id)
		require.Equal(t, b.session().ID, w.request(id).SessionID)
		require.Equal(t, w.clock.Now(), b.session().LastSeenAt, "its use is noted")

		w.clock.Advance(13 * time.Hour)
		_, page = b.flow(nil)
		require.Equal(t, "Sign in", b.Get(page).H1(), "idle too long")
	})
}

// OpenID Connect Core 3.1.2.3: a session has an absolute end, however much it is
// used.
func TestASessionInConstantUseEndsAfterItsLifetime(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, _ := w.atHome("ada@acme.test")
		for range 71 {
			w.clock.Advance(10 * time.Hour)
			require.Equal(t, "Your account", b.Get(accountURL).H1())
		}

		w.clock.Advance(10 * time.Hour)
		require.Equal(t, "Sign in", b.Get(accountURL).H1(), "30 days")
	})
}

// OpenID Connect Core 3.1.2.3.
func TestASessionOfAPersonWhoIsNoLongerWelcomeDoesNotSignIn(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		for name, change := range map[string]func(ctx context.Context, o *directorystore.Writer){
			"disabled": func(ctx context.Context, o *directorystore.Writer) {
				require.NoError(t, o.DisableUser(ctx, "usr_ada", w.clock.Now()))
			},
			"tenant disabled": func(ctx context.Context, o *directorystore.Writer) {
				require.NoError(t, o.DisableTenant(ctx, "tnt_north", w.clock.Now()))
			},
		} {
			b := w.newBrowser()
			_, page := b.flow(nil)
			if name == "disabled" {
				b.signIn(page, "ada@acme.test")
			} else {
				b.signIn(page, "bob@acme.test").Submit("Northwind", nil)
			}

			w.operate(change)
			w.clock.Advance(time.Second)
			_, page = b.flow(nil)
			require.Equal(t, "Sign in", b.Get(page).H1(), name)
		}
	})
}

// OpenID Connect Core 3.1.2.1, max_age and id_token_hint.
func TestMaxAgeAndHintAskAgainOnlyWhenTheSessionDoesNotMeetThem(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(nil)
		b.signIn(page, "ada@acme.test")
		w.clock.Advance(time.Minute)
		age := func(seconds int) func(r *grants.Flow) {
			return func(r *grants.Flow) { r.MaxAge = &seconds }
		}
		hint := func(sub string) func(r *grants.Flow) {
			return func(r *grants.Flow) { r.HintSubject = sub }
		}
		for _, change := range []func(r *grants.Flow){age(120), hint("usr_ada")} {
			id, page := b.flow(change)
			w.returns(b.Get(page), id)
		}

		for _, change := range []func(r *grants.Flow){age(30), age(0), hint("usr_bob")} {
			_, page := b.flow(change)
			require.Equal(t, "Sign in", b.Get(page).H1())
		}

		// A person who signs in as another is still handed over: authorize refuses.
		id, page := b.flow(hint("usr_bob"))
		w.returns(b.signIn(page, "ada@acme.test"), id)
	})
}

// OpenID Connect Core 3.1.2.1, select_account.
func TestSelectAccountGoesOnSwitchesTenantOrSignsInAsAnother(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(nil)
		b.signIn(page, "bob@acme.test").Submit("Acme", nil)
		first := b.session()
		w.clock.Advance(time.Minute)

		id, page := b.flow(prompt(oauth.PromptSelectAccount))
		p := b.Get(page)
		require.Equal(t, "Choose an account", p.H1())
		w.returns(p.Submit("Acme", nil), id)
		require.Equal(t, first.ID, b.session().ID)
		w.returns(b.Get(page), id)

		id, page = b.flow(prompt(oauth.PromptSelectAccount))
		w.returns(b.Get(page).Submit("Northwind", nil), id)
		second := b.session()
		require.NotEqual(t, first.ID, second.ID)
		require.Equal(t, "tnt_north", second.TenantID)
		require.Equal(t, first.AuthTime, second.AuthTime, "switching isn't a new authentication")
		require.Equal(t, first.ExpiresAt, second.ExpiresAt, "nor a longer session")
		require.Equal(t, second.ID, w.request(id).SessionID)

		id, page = b.flow(prompt(oauth.PromptSelectAccount))
		p = b.Get(page).Follow("Use another account").Submit("Continue", url.Values{"email": {"ada@acme.test"}})
		w.returns(p.Submit("Sign in", url.Values{"password": {rightWords}}), id)
		require.Equal(t, "usr_ada", b.session().UserID)
	})
}

func (w *world) insertGrant(id, sessionID string, offline bool) {
	w.t.Helper()
	_, err := w.db.Exec(w.t.Context(), "test",
		`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, resource, offline, created_at, expires_at)
		VALUES ($1, 'billing', 'usr_ada', 'tnt_acme', $2, 'openid', '', $3, $4, $5)`,
		id, sessionID, offline, database.At(w.clock.Now()), database.At(w.clock.Now().Add(time.Hour)))
	require.NoError(w.t, err)
}

func (w *world) revoked(id string) bool {
	w.t.Helper()
	var at database.Time
	require.NoError(w.t, w.db.Get(w.t.Context(), "test", &at, `SELECT revoked_at FROM grants WHERE id = $1`, id))
	return !at.IsZero()
}
