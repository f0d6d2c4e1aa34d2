package token_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const racers = 50

// replica is a second process on the same database.
func (w *world) replica(t *testing.T, db *database.DB) *world {
	t.Helper()
	other := *w
	other.logs.Reset()
	other.service = other.start(t, db)
	return &other
}

// race calls f in many goroutines that start together.
func race(f func(i int)) {
	gate := make(chan struct{})
	var done sync.WaitGroup
	for i := range racers {
		done.Go(func() {
			<-gate
			f(i)
		})
	}

	close(gate)
	done.Wait()
}

// requireOneFamily demands that all answers hold one and the same refresh token
// and access tokens that are good.
func requireOneFamily(t *testing.T, w *world, answers []answer) (successor string) {
	t.Helper()
	seen, access := map[string]bool{}, map[string]bool{}
	for _, a := range answers {
		require.Equal(t, http.StatusOK, a.status, a.raw)
		successor = a.str("refresh_token")
		seen[successor], access[a.str("access_token")] = true, true
	}

	require.Len(t, seen, 1, "one successor for all")
	require.Len(t, access, len(answers), "an access token for each")
	require.Equal(t, http.StatusOK, w.userinfo(t, answers[0].str("access_token")).status)
	return successor
}

// RFC 9700 4.14.2, with a grace.
func TestFiftyRefreshesAtOnceWithinTheGrace(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		token := w.signedIn(t, w.person(t), "keeper", nil).str("refresh_token")
		successor := requireOneFamily(t, w, w.together(refresh(token), racers))
		require.Zero(t, w.told(t, "token.refresh_reused"))
		w.clock.Advance(time.Minute)
		w.refreshed(t, successor)
	})
}

// RFC 9700 4.14.2, with a grace.
func TestTwoReplicasRotateAsOne(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		replicas := []*world{w, w.replica(t, db)}
		token := w.signedIn(t, w.person(t), "keeper", nil).str("refresh_token")
		for range 3 {
			answers := make([]answer, racers)
			race(func(i int) { answers[i] = replicas[i%2].serve(tokenRequest(refresh(token).encode(), nil)) })
			token = requireOneFamily(t, w, answers)
		}

		// What one revokes the other refuses.
		access := w.refreshed(t, token).str("access_token")
		w.clock.Advance(time.Minute)
		requireError(t, replicas[1].post(t, refresh(token)), 400, oauth.InvalidGrant)

		for _, replica := range replicas {
			requireError(t, replica.userinfo(t, access), 401, oauth.InvalidToken)
		}
	})
}

func TestFiftyRefreshesAtOnceWithoutAGrace(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.keeps(t, "keeper", directory.Web, func(a *directory.Application) { a.RefreshGrace = new(time.Duration) })
		token := w.signedIn(t, w.person(t), "keeper", nil).str("refresh_token")
		var won []answer
		for _, a := range w.together(refresh(token), racers) {
			if a.status == http.StatusOK {
				won = append(won, a)
				continue
			}
			requireError(t, a, 400, oauth.InvalidGrant)
		}

		require.Len(t, won, 1, "exactly one rotates")
		requireError(t, w.post(t, refresh(won[0].str("refresh_token"))), 400, oauth.InvalidGrant) // RFC 9700 4.14.2
		requireError(t, w.userinfo(t, won[0].str("access_token")), 401, oauth.InvalidToken)
		require.Equal(t, 1, w.told(t, "token.refresh_reused"))
	})
}

// RFC 9700 4.14.2.
func TestFiftyReusesAfterTheGrace(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		token := w.signedIn(t, w.person(t), "keeper", nil).str("refresh_token")
		next := w.refreshed(t, token)
		w.clock.Advance(10 * time.Second)
		for _, a := range w.together(refresh(token), racers) {
			requireError(t, a, 400, oauth.InvalidGrant)
		}

		requireError(t, w.post(t, refresh(next.str("refresh_token"))), 400, oauth.InvalidGrant)
		require.Equal(t, 1, w.told(t, "token.family_revoked"))
	})
}

// Whoever is first: what is handed out while the grant ends is dead with it.
func TestRefreshingWhileTheGrantEnds(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		for name, end := range map[string]func(p person, token string){
			"by revocation (RFC 7009)": func(_ person, token string) {
				w.serve(aboutRequest(revokePath, client("keeper").with(form{"token": token}).encode()))
			},
			"by logout": func(p person, _ string) {
				_ = w.db.Tx(t.Context(), "test", func(tx *database.Tx) error {
					if _, err := tx.Exec(t.Context(), "test", `UPDATE sessions SET ended_at = $2 WHERE id = $1`,
						p.session, database.At(w.clock.Now())); err != nil {
						return err
					}
					_, err := tx.Exec(t.Context(), "test",
						`UPDATE grants SET revoked_at = $2 WHERE session_id = $1 AND NOT offline AND revoked_at IS NULL`, p.session, database.At(
							w.clock.Now()))
					return err
				})
			},
		} {
			t.Run(name, func(t *testing.T) {
				p := w.person(t)
				token := w.signedIn(t, p, "keeper", nil).str("refresh_token")
				answers := make([]answer, racers)
				race(func(i int) {
					if i == racers/2 {
						end(p, token)
						return
					}
					answers[i] = w.serve(tokenRequest(refresh(token).encode(), nil))
				})

				for i, a := range answers {
					switch {
					case i == racers/2:
					case a.status == http.StatusOK:
						requireError(t, w.userinfo(t, a.str("access_token")), 401, oauth.InvalidToken)
						requireError(t, w.post(t, refresh(a.str("refresh_token"))), 400, oauth.InvalidGrant)
					default:
						requireError(t, a, 400, oauth.InvalidGrant)
					}
				}
			})
		}
	})
}

// The rights of roles.sql suffice for all that the service does.
func TestTheServiceNeedsNoMoreThanItsRole(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := newKeepers(t, testkit.OpenPostgres(t, url))
	w := owner.replica(t, testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_token")))
	p := w.person(t)
	tokens := w.signedIn(t, p, "keeper", offline)
	next := w.refreshed(t, tokens.str("refresh_token"))
	require.Equal(t, next.str("refresh_token"), w.refreshed(t, tokens.str("refresh_token")).str("refresh_token"))
	require.Equal(t, true, w.introspect(t, client("keeper"), next.str("access_token")).body["active"])
	require.Equal(t, true, w.introspect(t, client("keeper"), next.str("refresh_token")).body["active"])
	own := w.post(t, credentials.with(client("keeper"))).str("access_token")
	require.Equal(t, true, w.introspect(t, client("keeper"), own).body["active"])
	w.revoke(t, client("keeper"), next.str("access_token"))
	requireError(t, w.userinfo(t, next.str("access_token")), 401, oauth.InvalidToken)
	w.revoke(t, client("keeper"), next.str("refresh_token"))
	requireError(t, w.post(t, refresh(next.str("refresh_token"))), 400, oauth.InvalidGrant)
	device := w.post(t,
		poll(w.device(t, p, "approved", func(d *grants.DeviceCode) { d.ClientID = "keeper" })).with(client("keeper")))
	require.NotEmpty(t, device.str("refresh_token"), device.raw)
	reused := w.signedIn(t, p, "keeper", nil).str("refresh_token")
	w.refreshed(t, reused)
	w.clock.Advance(time.Minute)
	requireError(t, w.post(t, refresh(reused)), 400, oauth.InvalidGrant)
	require.NotContains(t, w.logs.String(), "permission denied")
	require.Equal(t, 1, owner.told(t, "token.refresh_reused"), "the trail is written")
}

// aboutRequest is a request to revocation or introspection.
func aboutRequest(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}
