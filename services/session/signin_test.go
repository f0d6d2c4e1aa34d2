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
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// OpenID Connect Core 3.1.2.3; acr and amr as 2 and RFC 8176 2 have them.
func TestSigningInLeadsThroughEmailAndPasswordBackToAuthorize(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(nil)

		p := b.Get(page)
		require.Equal(t, http.StatusOK, p.Status)
		require.Equal(t, "Sign in", p.H1())
		require.False(t, p.Has("password"), "the address comes first")
		require.Equal(t, "no-store", p.Header.Get("Cache-Control"))
		require.NotContains(t, p.Header.Get("Content-Security-Policy"), "form-action",
			"the way leads to the application")

		p = p.Submit("Continue", url.Values{"email": {" Ada@ACME.test "}})
		require.Equal(t, page, p.URL.String(), "a form ends in a GET of the flow")
		require.Equal(t, "Sign in to Acme Corp", p.H1(), "a verified domain leads to its tenant")
		require.Equal(t, "ada@acme.test", p.Hidden("username"), "for password managers")

		w.returns(p.Submit("Sign in", url.Values{"password": {rightWords}}), id)
		s := b.session()
		require.True(t, strings.HasPrefix(s.ID, "ses_"))
		require.Equal(t, "usr_ada", s.UserID)
		require.Equal(t, "tnt_acme", s.TenantID)
		require.Equal(t, []string{"pwd"}, s.AMR)
		require.Equal(t, "1", s.ACR)
		require.Equal(t, w.clock.Now(), s.AuthTime)
		require.Equal(t, w.clock.Now().Add(30*24*time.Hour), s.ExpiresAt)
		r := w.request(id)
		require.Equal(t, grants.SignedIn, r.Decision)
		require.Equal(t, s.ID, r.SessionID)
		require.Equal(t, "tnt_acme", r.TenantID)

		var at database.Time
		require.NoError(t,
			w.db.Get(t.Context(), "test", &at, `SELECT last_login_at FROM user_logins WHERE user_id = 'usr_ada'`))
		require.Equal(t, w.clock.Now(), at.Time)
	})
}

// OpenID Connect Core 3.1.2.1, login_hint: it stands for the address where nobody
// has typed one.
func TestLoginHintTakesThePlaceOfTheFirstPage(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		hinted := func(hint string) func(r *grants.Flow) {
			return func(r *grants.Flow) { r.LoginHint = hint }
		}
		b := w.newBrowser()
		id, page := b.flow(hinted("Ada@ACME.test"))
		p := b.Get(page)
		require.Equal(t, "Sign in to Acme Corp", p.H1())
		require.Equal(t, "ada@acme.test", p.Hidden("username"))
		require.Equal(t, "ada@acme.test", p.Follow("Change").Hidden("email"), "it can be changed")
		w.returns(p.Submit("Sign in", url.Values{"password": {rightWords}}), id)
		require.Equal(t, "usr_ada", b.session().UserID)

		w.clock.Advance(time.Minute)
		id, page = b.flow(hinted("bob@acme.test"))
		p = b.Get(page)
		require.Equal(t, "bob@acme.test", p.Hidden("username"),
			"never silently another person than the one of the hint")
		// who is signed in need not sign in again
		w.returns(p.Follow("Change").Submit("Continue", url.Values{"email": {"ada@acme.test"}}), id)

		for hint, heading := range map[string]string{
			"x@locked.test":        "No password for Locked Ltd",
			"nobody in particular": "Sign in",
		} {
			b := w.newBrowser()
			_, page := b.flow(hinted(hint))
			require.Equal(t, heading, b.Get(page).H1(), hint)
		}

		b = w.newBrowser()
		id, page = b.flow(hinted("bob@acme.test"))
		p = b.Get(page).Follow("Change").Submit("Continue", url.Values{"email": {"ada@acme.test"}})
		w.returns(p.Submit("Sign in", url.Values{"password": {rightWords}}), id)
		require.Equal(t, "usr_ada", b.session().UserID, "what was typed counts")
	})
}

// RFC 6749 10.10.
func TestADisabledPersonsRightPasswordIsAsWrongAsAnother(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(nil)
		p := b.signIn(page, "disabled@acme.test")
		require.Contains(t, p.Text(), "The email address or the password is not right.")
		require.Nil(t, b.session())
	})
}

// NIST SP 800-63B 5.1.1.2, RFC 9106 4: nothing is hashed that cannot be right.
func TestPasswordsThatAreNotEvenTried(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(nil)
		p := b.Get(page).Submit("Continue", url.Values{"email": {"ada@acme.test"}})
		before := w.hasher.Work()
		require.Contains(t, p.Submit("Sign in", url.Values{"password": {""}}).Text(), "Enter your password.")
		require.Contains(t,
			p.Submit("Sign in", url.Values{"password": {strings.Repeat("x", password.MaxLength+1)}}).Text(),
			"not right")
		require.Equal(t, before, w.hasher.Work())
	})
}

// RFC 5321 4.1.2; WCAG 2.2 3.3.1: the error is tied to its field.
func TestAnAddressThatCannotBeOneIsShownAgain(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(nil)
		p := b.Get(page).Submit("Continue", url.Values{"email": {"ada at acme"}})
		require.Equal(t, http.StatusUnprocessableEntity, p.Status)
		require.Equal(t, "ada at acme", p.Hidden("email"))
		require.Contains(t, p.Body, `aria-invalid="true"`)
		require.Contains(t, p.Body, `role="alert"`)
		require.Empty(t, w.request(id).LoginEmail)
	})
}

// OpenID Connect Core 3.1.2.3: before it, the domain of the address is all that an answer
// depends on, not whether a person has it.
func TestTheDomainAloneDecidesBeforeAuthentication(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		for email, heading := range map[string]string{
			"whoever@acme.test":   "Sign in to Acme Corp",
			"whoever@else.test":   "Enter your password",
			"whoever@locked.test": "No password for Locked Ltd",
		} {
			b := w.newBrowser()
			_, page := b.flow(nil)
			p := b.Get(page).Submit("Continue", url.Values{"email": {email}})
			require.Equal(t, heading, p.H1())
			require.Equal(t, email != "whoever@locked.test", p.Has("password"))
		}
	})
}

// OpenID Connect Core 5.7: an address doesn't identify a person. A newly claimed
// domain shows its page, but the person is at home where they were.
func TestAClaimedDomainTakesNobodyOver(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		w.operate(func(ctx context.Context, o *directorystore.Writer) {
			claims := directory.Tenant{
				ID:     "tnt_claims",
				Slug:   "claims",
				Name:   "Claims Inc",
				Active: true,
			}

			require.NoError(t, o.SaveTenant(ctx, claims, []string{"home.test"}, started))
			require.NoError(t,
				o.SaveUser(ctx, directory.User{ID: "usr_old", Email: "old@home.test", Active: true},
					[]string{"tnt_north"}, started))
			account, err := w.people.Account(ctx, "ada@acme.test")
			require.NoError(t, err)
			require.NoError(t, o.SetPassword(ctx, "usr_old", account.PasswordHash, started))
		})

		b := w.newBrowser()
		id, page := b.flow(nil)
		p := b.Get(page).Submit("Continue", url.Values{"email": {"old@home.test"}})
		require.Equal(t, "Sign in to Claims Inc", p.H1())
		w.returns(p.Submit("Sign in", url.Values{"password": {rightWords}}), id)
		require.Equal(t, "tnt_north", b.session().TenantID)
	})
}

// OpenID Connect Core 3.1.2.3: who signs in upstream has no second way in.
func TestAnSSOOnlyTenantTakesNoPasswordAtAll(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(nil)
		p := b.Get(page).Submit("Continue", url.Values{"email": {"whoever@else.test"}})
		token := p.Hidden("csrf_token")
		b.Get(page+"?step=email").Submit("Continue", url.Values{"email": {"x@locked.test"}})
		before := w.hasher.Work()
		p = b.Post(page+"/password", url.Values{"csrf_token": {token}, "password": {rightWords}})
		require.Equal(t, "No password for Locked Ltd", p.H1())
		require.Equal(t, before, w.hasher.Work())

		// Its people do not get in by an address of another domain either.
		p = b.Get(page+"?step=email").Submit("Continue", url.Values{"email": {"locked@acme.test"}}).
			Submit("Sign in", url.Values{"password": {rightWords}})
		require.Equal(t, "No organisation to sign in to", p.H1())
	})
}

// OpenID Connect Core 3.1.2.3: membership decides after authentication, also that there
// is none.
func TestAMemberOfNoTenantIsToldSoAndMayChangeTheAccount(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(nil)
		p := b.signIn(page, "nobody@acme.test")
		require.Equal(t, http.StatusForbidden, p.Status)
		require.Equal(t, "No organisation to sign in to", p.H1())
		require.False(t, b.session().Usable(w.clock.Now(), time.Hour))
		first := b.session()

		p = p.Follow("Use another account").Submit("Continue", url.Values{"email": {"ada@acme.test"}})
		require.True(t, p.Has("password"), "another address is asked for its password")
		w.returns(p.Submit("Sign in", url.Values{"password": {rightWords}}), id)
		require.NotEqual(t, first.ID, b.session().ID)
		old, err := w.sessions.Session(t.Context(), first.ID)
		require.NoError(t, err)
		require.Equal(t, w.clock.Now(), old.EndedAt, "what the new session replaces has ended")
	})
}

// OpenID Connect Core 3.1.2.3: people of several tenants choose after authentication.
func TestAMemberOfSeveralTenantsChoosesOnce(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(nil)
		p := b.signIn(page, "bob@acme.test")
		require.Equal(t, "Choose an organisation", p.H1())
		token := p.Hidden("csrf_token")

		require.Equal(t, "Choose an organisation",
			b.Post(page+"/tenant", url.Values{"csrf_token": {token}, "tenant": {"tnt_locked"}}).H1(), "not a member")
		w.returns(p.Submit("Northwind", nil), id)
		require.Equal(t, "tnt_north", b.session().TenantID)
		require.Equal(t, "tnt_north", w.request(id).TenantID)

		w.returns(b.Post(page+"/tenant", url.Values{"csrf_token": {token}, "tenant": {"tnt_acme"}}), id)
		require.Equal(t, "tnt_north", b.session().TenantID, "the first choice stands")
	})
}

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

// RFC 9106 4, NIST SP 800-63B 5.1.1.2: the costs of hashes follow the times. A dearer
// hash goes too, and with the last of them the checks get cheaper.
func TestAHashOfAnotherCostIsReplacedAtSignIn(t *testing.T) {
	for name, cost := range map[string]password.Params{
		"cheaper": {Memory: 64, Time: 1, Threads: 1}, "dearer": {Memory: 1024, Time: 3, Threads: 2},
	} {
		t.Run(name, func(t *testing.T) { requireReplaced(t, cost) })
	}
}

func requireReplaced(t *testing.T, cost password.Params) {
	t.Helper()
	onEachDatabase(t, func(t *testing.T, w *world) {
		other, err := password.New(password.Options{Params: cost})
		require.NoError(t, err)
		hash, err := other.Hash(t.Context(), rightWords)
		require.NoError(t, err)
		w.operate(func(ctx context.Context, o *directorystore.Writer) {
			require.NoError(t, o.SetPassword(ctx, "usr_ada", hash, started))
		})
		learner := &passwords{
			Hasher: w.hasher,
			read:   directorystore.NewPeople(w.service).PasswordCosts,
			logger: testkit.Logger(t),
		}
		require.NoError(t, learner.learn(t.Context()))
		require.Contains(t, w.hasher.Costs(), cost)
		require.Len(t, w.hasher.Costs(), 2)
		b := w.newBrowser()
		_, page := b.flow(nil)
		b.signIn(page, "ada@acme.test")
		account, err := w.people.Account(t.Context(), "ada@acme.test")
		require.NoError(t, err)
		require.NotEqual(t, hash, account.PasswordHash)
		require.False(t, w.hasher.NeedsUpgrade(account.PasswordHash))
		ok, err := w.hasher.Verify(t.Context(), account.PasswordHash, rightWords)
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, learner.learn(t.Context()))
		require.Len(t, w.hasher.Costs(), 1)
	})
}

// RFC 8628 3.3: its own page asks. A stored kind decides where the browser returns to.
func TestADeviceReturnsToItsOwnPageWithoutConsent(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(func(r *grants.Flow) {
			r.Kind, r.ClientID, r.Authorize = grants.KindDevice, "other", nil
		})
		p := b.signIn(page, "ada@acme.test")
		require.Equal(t, origin+"/device?flow="+id, p.Location().String())
	})
}

// RFC 8628 5.1: while codes are looked up for people who are signed in only, it isn't known which application the device
// is. The flow has none, and leads back all the same.
func TestADeviceWhoseCodeIsNotLookedUpYetReturnsToItsOwnPage(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		device := func(f *grants.Flow) {
			f.Kind, f.ClientID, f.Scope, f.Authorize = grants.KindDevice, "", nil, nil
			f.Device = &grants.DeviceSignIn{UserCode: "BCDF-GHJK"}
		}

		b := w.newBrowser()
		id, page := b.flow(device)
		require.Contains(t, b.Get(page).Text(), "to continue to your device")
		p := b.signIn(page, "ada@acme.test")
		require.Equal(t, origin+"/device?flow="+id, p.Location().String())
		require.Equal(t, b.session().ID, w.request(id).SessionID)

		id, page = b.flow(device)
		require.Equal(t, origin+"/device?flow="+id, b.Get(page).Location().String(), "who is signed in isn't asked")

		other := w.newBrowser()
		id, page = other.flow(device)
		p = other.signIn(page, "bob@acme.test").Submit("Northwind", nil)
		require.Equal(t, origin+"/device?flow="+id, p.Location().String(), "nor is a choice of tenants in the way")
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
