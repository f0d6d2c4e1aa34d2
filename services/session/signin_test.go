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
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
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
		costs, err := learner.stored(t.Context())
		require.NoError(t, err)
		require.ElementsMatch(t, []password.Params{cost, w.hasher.New()}, costs)
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
		costs, err = learner.stored(t.Context())
		require.NoError(t, err)
		require.Equal(t, []password.Params{w.hasher.New()}, costs)
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
