package session

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

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
