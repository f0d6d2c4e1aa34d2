package token_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/token"
)

func TestTwoSecretsAreGoodWhileOneReplacesTheOther(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		const odd = "my app:1+%2B"
		w.keeps(t, odd, directory.Service, func(a *directory.Application) {
			a.Secrets = []directory.ApplicationSecret{
				{ID: "1", Hash: oauth.HashSecret("old:+% secret"), ExpiresAt: start.Add(time.Hour)},
				{ID: "2", Hash: oauth.HashSecret("new%2Bsecret ü"), ExpiresAt: time.Time{}},
			}
		})

		try := func(secret string) []answer {
			encoded := func(s string) string { return form{"x": s}.encode()[2:] }
			return []answer{
				w.post(t, credentials.with(form{"client_id": odd, "client_secret": secret})),
				// RFC 6749 2.3.1: both halves form-encoded
				w.postRaw(t, credentials.encode(), basic(encoded(odd), encoded(secret))),
			}
		}
		for _, secret := range []string{"old:+% secret", "new%2Bsecret ü"} {
			for _, got := range try(secret) {
				require.Equal(t, http.StatusOK, got.status, "%s: %s", secret, got.raw)
			}
		}

		w.clock.Advance(time.Hour)

		for _, got := range try("old:+% secret") {
			requireError(t, got, 401, oauth.InvalidClient)
		}

		for _, got := range try("new%2Bsecret ü") {
			require.Equal(t, http.StatusOK, got.status, got.raw)
		}

		for _, got := range try("new+secret ü") { // decoded once too often
			requireError(t, got, 401, oauth.InvalidClient)
		}
	})
}

func TestWhoGuessesAtASecretHasToWait(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newKeepers(t, db)
		strict := func(c *token.Config) { c.Limits.ClientAuth = 3 }
		other := w.replica(t, db)
		w.service, other.service = w.startWith(t, db, strict), other.startWith(t, db, strict)
		from := func(w *world, address, id, secret string) answer {
			r := tokenRequest(credentials.with(form{"client_id": id, "client_secret": secret}).encode(), nil)
			r.RemoteAddr = address
			return w.do(t, r)
		}

		const here = "192.0.2.1:1000"
		requireError(t, from(w, here, "keeper", "wrong"), 401, oauth.InvalidClient)
		requireError(t, from(other, here, "keeper", "wrong"), 401, oauth.InvalidClient)
		blocked := from(w, here, "keeper", "wrong")
		requireError(t, blocked, 429, oauth.TooManyRequests) // RFC 6585 4
		seconds, err := strconv.Atoi(blocked.header.Get("Retry-After"))
		require.NoError(t, err)
		require.Equal(t, 1, seconds)
		// every replica, every port
		requireError(t, from(other, "192.0.2.1:2000", "keeper", "wrong"), 429, oauth.TooManyRequests)
		require.Equal(t, 2, w.told(t, "token.client_refused"))
		require.Equal(t, 1, w.told(t, "token.client_blocked"))

		require.Equal(t, http.StatusOK, from(w, here, "keeper", secretWord).status, "the right secret is never held up")
		requireError(t, from(w, "192.0.2.2:1000", "keeper", "wrong"), 401, oauth.InvalidClient)
		requireError(t, from(w, here, "web", "wrong"), 401, oauth.InvalidClient)
		requireError(t, from(w, here, "nobody", "wrong"), 401, oauth.InvalidClient)

		// An IPv6 address counts as its /64.
		for range 2 {
			requireError(t, from(w, "[2001:db8::1]:1", "keeper", "wrong"), 401, oauth.InvalidClient)
		}

		requireError(t, from(w, "[2001:db8::2]:1", "keeper", "wrong"), 429, oauth.TooManyRequests)

		// Of a client_id that was invented nothing is counted.
		for range 4 {
			requireError(t, from(w, "[2001:db8::2]:1", "nobody", "wrong"), 401, oauth.InvalidClient)
		}

		w.clock.Advance(time.Second)
		blocked = from(w, here, "keeper", "wrong")
		requireError(t, blocked, 429, oauth.TooManyRequests)
		require.Equal(t, "2", blocked.header.Get("Retry-After"), "the delay doubles")
		var keys []struct {
			Key []byte `db:"key"`
		}
		require.NoError(t, w.db.Select(t.Context(), "test", &keys, `SELECT key FROM limits`))

		for _, row := range keys {
			require.Len(t, row.Key, 32, "no address stands in the table")
		}
	})
}
