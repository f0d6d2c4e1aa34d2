package session

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

func (w *world) consented(clientID string) oauth.Scopes {
	w.t.Helper()
	scopes, err := w.sessions.Consented(w.t.Context(),
		sessions.ConsentKey{UserID: "usr_ada", TenantID: "tnt_acme", ClientID: clientID})
	require.NoError(w.t, err)
	return scopes
}

// OpenID Connect Core 3.1.2.4: who, by which application, in which tenant, and what it
// may do, in words (RFC 6749 3.3 has the scopes).
func TestConsentNamesEverythingThatIsDecided(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(func(r *grants.Flow) {
			r.ClientID, r.Scope = "other", oauth.Scopes{"openid", "email", "invoices:read"}
		})
		p := b.signIn(page, "ada@acme.test")
		require.Equal(t, "Allow Other to use your account?", p.H1())
		for _, text := range []string{
			"The ada", "ada@acme.test", "Acme Corp", "Confirm who you are", "See your email address",
			"invoices:read", "rp.test",
		} {
			require.Contains(t, p.Text(), text)
		}
	})
}

// OpenID Connect Core 3.1.2.4: asked again only for more, or where prompt=consent wants
// it (3.1.2.1); per resource (RFC 8707 2).
func TestAllowingIsRememberedAndAddsUp(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(client("other"))
		w.returns(b.signIn(page, "ada@acme.test").Submit("Allow", nil), id)
		require.Equal(t, grants.Consented, w.request(id).Decision)
		require.Equal(t, oauth.Scopes{"openid", "email"}, w.consented("other"))

		id, page = b.flow(client("other"))
		w.returns(b.Get(page), id)
		require.Equal(t, grants.SignedIn, w.request(id).Decision, "remembered: no page")

		id, page = b.flow(func(
			r *grants.Flow,
		) {
			r.ClientID, r.Scope = "other", oauth.Scopes{"openid", "phone"}
		})
		w.returns(b.Get(page).Submit("Allow", nil), id)
		require.Equal(t, oauth.Scopes{"openid", "email", "phone"}, w.consented("other"))

		_, page = b.flow(func(r *grants.Flow) {
			r.ClientID, r.Prompt = "other", oauth.Prompt{oauth.PromptConsent}
		})
		require.Equal(t, "Allow Other to use your account?", b.Get(page).H1(), "prompt=consent always asks")

		_, page = b.flow(func(r *grants.Flow) { r.ClientID, r.Resource = "other", "https://api.test" })
		require.Equal(t, "Allow Other to use your account?", b.Get(page).H1(), "consent is per resource")
	})
}

// OpenID Connect Core 3.1.2.4: what one person allowed in one tenant says nothing of
// another tenant, nor of another person.
func TestConsentIsOfOnePersonInOneTenant(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		const asks = "Allow Other to use your account?"
		b := w.newBrowser()
		id, page := b.flow(client("other"))
		w.returns(b.signIn(page, "bob@acme.test").Submit("Acme", nil).Submit("Allow", nil), id)

		w.clock.Advance(time.Minute)
		elsewhere := func(r *grants.Flow) {
			r.ClientID, r.Prompt = "other", oauth.Prompt{oauth.PromptSelectAccount}
		}
		_, page = b.flow(elsewhere)
		require.Equal(t, asks, b.Get(page).Submit("Northwind", nil).H1())
		id, page = b.flow(elsewhere)
		w.returns(b.Get(page).Submit("Acme", nil), id)

		ada := w.newBrowser()
		_, page = ada.flow(client("other"))
		require.Equal(t, asks, ada.signIn(page, "ada@acme.test").H1())
	})
}

// RFC 6749 4.1.2.1, access_denied.
func TestDenyingEndsTheFlowAndRemembersNothing(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(client("other"))
		p := b.signIn(page, "ada@acme.test")
		w.returns(p.Submit("Do not allow", nil), id)
		require.Equal(t, grants.Denied, w.request(id).Decision)
		require.Empty(t, w.consented("other"))

		w.returns(p.Submit("Allow", nil), id)
		require.Equal(t, grants.Denied, w.request(id).Decision, "going back and allowing changes nothing")
		require.Empty(t, w.consented("other"))
	})
}

// OpenID Connect Core 3.1.2.4: only what was pressed is an answer.
func TestAnAnswerThatIsNoneShowsThePageAgain(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(client("other"))
		p := b.signIn(page, "ada@acme.test")
		for _, values := range []url.Values{{}, {"action": {""}}, {"action": {"ALLOW"}}} {
			values.Set("csrf_token", p.Hidden("csrf_token"))
			require.Equal(t, "Allow Other to use your account?", b.Post(page+"/consent", values).H1())
		}

		require.Equal(t, grants.Undecided, w.request(id).Decision)
	})
}

func TestAPublicApplicationOnAPrivateSchemeIsAlwaysAskedFor(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		native := func(r *grants.Flow) { r.ClientID, r.Authorize.RedirectURI = "native", "com.example.app:/cb" }
		id, page := b.flow(native)
		p := b.signIn(page, "ada@acme.test")
		require.Contains(t, p.Text(), "the app on this device")
		require.NotContains(t, p.Header.Get("Content-Security-Policy"), "form-action",
			"the way leads to the application")
		w.returns(p.Submit("Allow", nil), id)
		require.Empty(t, w.consented("native"), "not remembered (RFC 8252 8.6)")
		_, page = b.flow(native)
		require.Equal(t, "Allow Native to use your account?", b.Get(page).H1())
	})
}

// OpenID Connect Core 3.1.2.3.
func TestNotYouOnTheConsentPageLeadsToAnotherAccount(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(client("other"))
		p := b.signIn(page, "bob@acme.test").Submit("Acme", nil)
		require.Equal(t, "Allow Other to use your account?", p.H1())
		p = p.Follow("Not you?").Submit("Continue", url.Values{"email": {"ada@acme.test"}}).Submit("Sign in",
			url.Values{"password": {rightWords}})
		require.Contains(t, p.Text(), "The ada")
		require.Equal(t, "usr_ada", b.session().UserID)
	})
}

// RFC 6749 4.1.2.1, unauthorized_client, on our own page: the redirect URI can't be trusted.
func TestAnApplicationThatIsGoneEndsTheFlow(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		for _, id := range []string{"gone", "never"} {
			b := w.newBrowser()
			_, page := b.flow(client(id))
			p := b.Get(page)
			require.Equal(t, http.StatusBadRequest, p.Status)
			require.Contains(t, p.Text(), "unauthorized_client")
		}
	})
}
