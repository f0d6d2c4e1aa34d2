package token_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// Whatever is exchanged in whatever order: the scope never widens, the end never
// moves back, person, tenant, session and grant never change, everybody who acted
// is named, and the token is for one resource that its application may ask for.
// RFC 8693 2.1, 5: whatever is exchanged for whatever, in any order.
func TestExchangesOnlyEverNarrow(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		const seed = 8693
		dice := rand.New(rand.NewPCG(seed, seed)) // to be repeated, not to be secret
		vocabulary := []string{"openid", "profile", "email", "offline_access", "api:read", "api:write", "a", "b"}
		some := func(of []string) oauth.Scopes {
			return slices.DeleteFunc(slices.Clone(of), func(string) bool { return dice.IntN(3) == 0 })
		}
		// Six applications, each of which serves a resource and may ask for others.
		names, apps := []string{}, map[string]*directory.Application{}
		resource := func(id string) string { return "https://" + id + ".test" }

		for i := range 6 {
			names = append(names, fmt.Sprintf("hop%d", i))
		}

		for _, id := range names {
			w.keeps(t, id, directory.Service, func(a *directory.Application) {
				a.Grants = append(a.Grants, oauth.GrantTokenExchange)
				a.Scopes = some(vocabulary)
				a.ResourcesServed, a.Audiences, a.FirstParty = []string{resource(id)}, []string{}, true
				for _, other := range some(names) {
					a.Audiences = append(a.Audiences, resource(other))
				}

				a.AccessTokenTTL = time.Duration(1+dice.IntN(120)) * time.Minute
				apps[id] = a
			})
		}

		issued, refused := 0, 0
		for range 25 {
			p := w.person(t)
			at := names[dice.IntN(len(names))]
			tokens := w.signedIn(t, p, "keeper", func(c *grants.AuthorizationCode) {
				c.Scope, c.Resource = append(some([]string{
					"openid", "profile", "email", "offline_access", "api:write",
				}), "api:read"), resource(at)
			})
			token := tokens.str("access_token")
			for range 6 {
				before := w.verified(t, token, "at+jwt", "ES256")
				w.clock.Advance(time.Duration(dice.IntN(90)) * time.Second)
				caller := apps[names[dice.IntN(len(names))]]
				request := exchange(caller.ClientID, token, nil)
				if dice.IntN(2) == 0 {
					request["scope"] = some(vocabulary).String()
				}

				if dice.IntN(4) > 0 {
					request["audience"] = resource(names[dice.IntN(len(names))])
				}

				got := w.post(t, request)
				if got.status != http.StatusOK {
					refused++
					require.Equal(t, http.StatusBadRequest, got.status, got.raw)
					continue
				}

				issued++
				after := w.verified(t, got.str("access_token"), "at+jwt", "ES256")
				requireNarrower(t, before, after, caller, request)
				require.InDelta(t, after["exp"].(float64)-float64(w.clock.Now().Unix()), got.body["expires_in"], 1)
				token = got.str("access_token")
			}
		}

		require.Greater(t, issued, 10, "the test tries something")
		require.Greater(t, refused, 10)
	})
}

func requireNarrower(t *testing.T, before, after map[string]any, caller *directory.Application, request form) {
	t.Helper()
	held, scope := strings.Fields(before["scope"].(string)), strings.Fields(after["scope"].(string))
	require.NotEmpty(t, scope)
	require.Subset(t, held, scope, "the scope never widens")
	require.Subset(t, caller.Scopes, scope)
	require.NotContains(t, scope, "offline_access")

	if asked := strings.Fields(request["scope"]); len(asked) > 0 {
		require.Subset(t, asked, scope)
	}

	require.LessOrEqual(t, after["exp"], before["exp"], "the end never moves back")

	for _, same := range []string{"iss", "sub", "tenant_id", "tenant_slug", "gid", "sid", "auth_time", "acr", "amr"} {
		require.Equal(t, before[same], after[same], same)
	}

	audience, one := after["aud"].(string)
	require.True(t, one, "one resource a token")

	if audience != issuer {
		require.Contains(t, caller.Audiences, audience)
	}

	act, ok := after["act"].(map[string]any)
	require.True(t, ok)
	require.Equal(t, caller.ClientID, act["sub"])
	require.Equal(t, before["act"], act["act"], "who acted before is still named")
}
