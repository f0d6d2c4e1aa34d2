package token_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// RFC 8707 2.2: consent covers a resource at the code, at each refresh, and when the
// token is exchanged.
func TestAResourceThatWasNotConsentedIsRefusedEverywhere(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		p := w.person(t)
		w.keeps(t, "third", directory.Web, func(a *directory.Application) {
			a.Grants = append(a.Grants, oauth.GrantTokenExchange)
			a.DefaultAudience, a.ResourcesServed, a.FirstParty = "https://default.test", []string{apiURI}, false
			a.Audiences = append(a.Audiences, downstream)
		})

		first := w.signedIn(t, p, "third", nil)
		require.Equal(t, []any{"https://default.test", issuer},
			w.verified(t, first.str("access_token"), "at+jwt", "ES256")["aud"])
		refresh := func(resource string) answer {
			return w.post(t,
				client("third").with(form{
					"grant_type":    "refresh_token",
					"refresh_token": first.str("refresh_token"),
					"resource":      resource,
				}))
		}
		requireError(t, refresh(apiURI), 400, oauth.InvalidTarget)

		// What an operator makes the default later is not what the person allowed.
		w.keeps(t, "third", directory.Web, func(a *directory.Application) {
			a.Grants = append(a.Grants, oauth.GrantTokenExchange)
			a.DefaultAudience, a.ResourcesServed = "https://later.test", []string{apiURI}
			a.Audiences = append(a.Audiences, downstream)
		})

		w.clock.Advance(6 * time.Second) // what is cached goes by its own time here
		requireError(t, refresh("https://later.test"), 400, oauth.InvalidTarget)
		again := refresh("")
		require.Equal(t, http.StatusOK, again.status, again.raw)
		require.Equal(t, []any{"https://default.test", issuer},
			w.verified(t, again.str("access_token"), "at+jwt", "ES256")["aud"])

		// Exchange, of its own token and of one that it was sent.
		sent := w.signedIn(t, p, "keeper", forAPI).str("access_token")
		for name, subject := range map[string]string{
			"its own":              again.str("access_token"),
			"one that it was sent": sent,
		} {
			requireError(t, w.post(t, exchange("third", subject, form{"audience": downstream})),
				400, oauth.InvalidTarget)
			requireError(t, w.post(t, exchange("third", subject, nil)), 400, oauth.InvalidTarget) // the later default
			w.exec(t,
				`INSERT INTO consents (user_id, tenant_id, client_id, resource, scope, updated_at) VALUES ($1, $2, 'third', $3, 'api:read', $4)`,
				p.user.ID, w.tenant.ID, downstream, database.At(w.clock.Now()))
			_, claims := w.exchanged(t, "third", subject, form{"audience": downstream, "scope": "api:read"})
			require.Equal(t, downstream, claims["aud"], name)
			requireError(t,
				w.post(t, exchange("third", subject, form{"audience": downstream, "scope": "api:read email"})),
				400, oauth.InvalidTarget)
			w.exec(t, `DELETE FROM consents`)
		}

		_, claims := w.exchanged(t, "third", sent, form{"audience": apiURI})
		require.Equal(t, apiURI, claims["aud"], "the resource that the subject token is for already")
	})
}

// RFC 8693 1: what was exchanged is as dead as what it was exchanged from, along the
// whole chain, whether a person or an application alone stands behind it.
func TestAnExchangedTokenDiesWithItsSubjectToken(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		p := w.person(t)
		for name, begin := range map[string]func(t *testing.T) string{
			"of an application": func(t *testing.T) string {
				return w.post(t, credentials.with(client("keeper")).with(form{"resource": apiURI})).str("access_token")
			},
			"of a person": func(t *testing.T) string { return w.signedIn(t, p, "keeper", forAPI).str("access_token") },
		} {
			for dies := range 3 {
				t.Run(name, func(t *testing.T) {
					subject := begin(t)
					w.clock.Advance(time.Second)
					second, _ := w.exchanged(t, "edge", subject, form{"audience": downstream})
					third, claims := w.exchanged(t, "next", second.str("access_token"), form{"audience": deep})
					require.Len(t, claims["exchanged_from"], 2)
					chain := []struct{ client, token string }{
						{"keeper", subject}, {"edge", second.str("access_token")}, {"next", third.str("access_token")},
					}
					active := func(i int) any {
						return w.introspect(t, client(chain[i].client),
							chain[i].token).body["active"]
					}
					for i := range chain {
						require.Equal(t, true, active(i))
					}

					w.revoke(t, client(chain[dies].client), chain[dies].token)

					for i := range chain {
						require.Equal(t, i < dies, active(i), "token %d of the chain when %d was revoked", i, dies)
					}

					if dies < 2 {
						requireError(t, w.post(t, exchange("next", chain[1].token, form{"audience": deep})),
							400, oauth.InvalidRequest)
					}
				})
			}
		}
	})
}

// The issuer stands in nearly every token: an application that claims to serve it must
// not read, nor exchange, those of others.
func TestNoApplicationServesTheIssuer(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		w.keeps(t, "greedy", directory.Service, func(a *directory.Application) {
			a.Grants = append(a.Grants, oauth.GrantTokenExchange)
			a.ResourcesServed, a.FirstParty = []string{issuer}, true
		})
		token := w.signedIn(t, w.person(t), "keeper",
			func(c *grants.AuthorizationCode) { c.Resource = apiURI }).str("access_token")
		require.Equal(t, inactive, w.introspect(t, client("greedy"), token).body)
		requireError(t, w.post(t, exchange("greedy", token, nil)), 400, oauth.InvalidRequest)
	})
}
