package session

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

const racers = 50

// race posts a form racers times at once, without following redirects and
// without keeping cookies, and returns the answers.
func (b *visitor) race(target string, values func(i int) url.Values) []*http.Response {
	b.w.t.Helper()
	answers := make([]*http.Response, racers)
	cookies := b.Cookies(origin)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range answers {
		wg.Go(func() {
			r, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, target,
				strings.NewReader(values(i).Encode()))
			if err != nil {
				return
			}

			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")

			for _, c := range cookies {
				r.AddCookie(c)
			}

			<-start
			answers[i], _ = b.w.RoundTrip(r)
		})
	}

	close(start)
	wg.Wait()
	return answers
}

// OpenID Connect Core 3.1.2.3: a double submit, fifty times over.
func TestFiftyTimesTheSamePasswordIsHarmless(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(client("other"))
		require.NoError(t, w.login(id, "ada@acme.test"))
		token := b.token(page)
		answers := b.race(page+"/password",
			func(int) url.Values { return url.Values{"csrf_token": {token}, "password": {rightWords}} })
		seen := map[string]bool{}
		var last *http.Response
		for _, res := range answers {
			if res.StatusCode == http.StatusTooManyRequests {
				continue // beyond the budget while the others were not judged yet
			}

			last = res
			require.Equal(t, http.StatusSeeOther, res.StatusCode)
			require.Equal(t, "/auth/flows/"+id, res.Header.Get("Location"))
			require.Equal(t, "platform_session", res.Cookies()[0].Name)
			value := res.Cookies()[0].Value
			seen[value] = true
			s, err := w.sessions.ByCookie(t.Context(), oauth.HashSecret(value))
			require.NoError(t, err)
			require.True(t, s.EndedAt.IsZero(), "whichever cookie the browser keeps signs it in")
		}

		require.Len(t, seen, 1, "the same form has the same answer")
		u, err := url.Parse(origin)
		require.NoError(t, err)
		b.Client().Jar.SetCookies(u, last.Cookies())
		w.returns(b.Get(page).Submit("Allow", nil), id)
	})
}

// OpenID Connect Core 3.1.2.3.
func TestOfFiftyTenantsChosenAtOnceOneIsTheSessions(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(nil)
		p := b.signIn(page, "bob@acme.test")
		token := p.Hidden("csrf_token")
		for _, res := range b.race(page+"/tenant", func(i int) url.Values {
			return url.Values{"csrf_token": {token}, "tenant": {[]string{"tnt_acme", "tnt_north"}[i%2]}}
		}) {
			require.Equal(t, http.StatusSeeOther, res.StatusCode)
			require.Empty(t, res.Cookies())
		}

		w.returns(b.Get(page), id)
		require.NotEmpty(t, b.session().TenantID)
		require.Equal(t, b.session().TenantID, w.request(id).TenantID)
	})
}

// OpenID Connect Core 3.1.2.4.
func TestConsentsGivenAtOnceInTwoFlowsBothCount(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		_, page := b.flow(nil)
		b.signIn(page, "ada@acme.test")
		ids, pages := make([]string, racers), make([]string, racers)
		for i := range racers {
			ids[i], pages[i] = b.flow(func(r *grants.Flow) {
				r.ClientID, r.Scope = "other", oauth.Scopes{"openid", "s" + string(rune('a'+i%25))}
			})
		}

		cookies, tokens := b.Cookies(origin), make([]string, racers)
		for i := range racers {
			tokens[i] = b.token(pages[i])
		}

		var wg sync.WaitGroup
		for i := range racers {
			wg.Go(func() {
				body := url.Values{"csrf_token": {tokens[i]}, "action": {"allow"}}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, pages[i]+"/consent",
					strings.NewReader(body.Encode()))
				if err != nil {
					return
				}

				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")

				for _, c := range cookies {
					r.AddCookie(c)
				}

				_, _ = w.RoundTrip(r)
			})
		}

		wg.Wait()
		require.Len(t, w.consented("other"), 26)

		for i := range racers {
			w.returns(b.Get(pages[i]), ids[i])
		}
	})
}

// OpenID Connect Core 3.1.2.4, RFC 6749 4.1.2.1.
func TestAllowAndDenyAtOnceLeaveOneDecision(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		id, page := b.flow(client("other"))
		p := b.signIn(page, "ada@acme.test")
		token := p.Hidden("csrf_token")
		for _, res := range b.race(page+"/consent", func(i int) url.Values {
			return url.Values{"csrf_token": {token}, "action": {[]string{"allow", "deny"}[i%2]}}
		}) {
			require.Equal(t, http.StatusSeeOther, res.StatusCode)
		}

		decided := w.request(id).Decision
		if decided != grants.Denied {
			// signed_in is what one writes that came between another's remembering and
			// its decision: the consent stands either way.
			require.Contains(t, []grants.Decision{grants.Consented, grants.SignedIn}, decided)
			require.Equal(t, oauth.Scopes{"openid", "email"}, w.consented("other"))
		}

		w.returns(b.Get(page), id)
		require.Equal(t, decided, w.request(id).Decision)
	})
}
