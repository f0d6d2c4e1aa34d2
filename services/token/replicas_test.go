package token_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// cacheBound is what the operator is promised.
const cacheBound = 5 * time.Second

// What an operator changes about people is noticed at once, about applications
// within the bound, by every replica that runs.
func TestRunningReplicasNoticeWhatTheOperatorChanges(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newServers(t, db)
		replicas := []*world{w, w.replica(t, db)}
		everywhere := func(status int, code oauth.Code, try func(*world) answer) {
			t.Helper()
			for _, replica := range replicas {
				if status == http.StatusOK {
					require.Equal(t, status, try(replica).status)
					continue
				}
				requireError(t, try(replica), status, code)
			}
		}
		for _, end := range endings(w) {
			p := w.person(t)
			access := w.signedIn(t, p, "keeper", nil).str("access_token")
			userinfo := func(w *world) answer { return w.userinfo(t, access) }
			everywhere(http.StatusOK, "", userinfo)
			end(t, p)
			everywhere(401, oauth.InvalidToken, userinfo)
			w.enableTenant(t)
		}

		own := func(f form) func(*world) answer {
			return func(w *world) answer { return w.post(t, credentials.with(f)) }
		}
		everywhere(401, oauth.InvalidClient, own(client("young")))
		w.keeps(t, "young", directory.Service, nil)
		w.clock.Advance(time.Second)
		everywhere(http.StatusOK, "", own(client("young")))

		w.keeps(t, "young", directory.Service, func(a *directory.Application) {
			a.Secrets = []directory.ApplicationSecret{{ID: "2", Hash: oauth.HashSecret("the-secret-that-replaces-it")}}
		})
		w.clock.Advance(cacheBound)
		everywhere(401, oauth.InvalidClient, own(client("young")))
		fresh := client("young").with(form{"client_secret": "the-secret-that-replaces-it"})
		everywhere(http.StatusOK, "", own(fresh))
		w.keeps(t, "young", directory.Service, func(a *directory.Application) { a.Active = false })
		w.clock.Advance(cacheBound)
		everywhere(401, oauth.InvalidClient, own(fresh))
	})
}
