package token_test

import (
	"crypto/rand"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// device stores a device code as the device service does, with an approval by p
// where decision says so, and returns the code.
func (w *world) device(t *testing.T, p person, decision string, change func(*grants.DeviceCode)) string {
	t.Helper()
	code, err := oauth.NewSecret(rand.Reader)
	require.NoError(t, err)
	userCode, err := oauth.NewUserCode(rand.Reader)
	require.NoError(t, err)
	now := w.clock.Now()
	d := grants.DeviceCode{
		ClientID:  "web",
		Scope:     oauth.Scopes{"openid", "email"},
		Interval:  5 * time.Second,
		ExpiresAt: now.Add(10 * time.Minute),
	}
	if change != nil {
		change(&d)
	}

	w.exec(t,
		`INSERT INTO device_codes (device_code_hash, user_code, client_id, scope, resource, interval_seconds, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		oauth.HashSecret(code), userCode, d.ClientID, d.Scope.String(), d.Resource, int64(d.Interval/time.Second),
		database.At(now), database.At(d.ExpiresAt))

	if decision != "" {
		w.decide(t, code, p, decision)
	}

	return code
}

func (w *world) decide(t *testing.T, code string, p person, decision string) {
	t.Helper()
	w.exec(t,
		`UPDATE device_codes SET decision = $2, decided_at = $3, grant_id = $4, user_id = $5, tenant_id = $6, auth_time = $7, session_id = $8, acr = '1', amr = '["pwd"]'
		WHERE device_code_hash = $1`,
		oauth.HashSecret(code), decision, database.At(w.clock.Now()), newID(t, "gnt_"), p.user.ID, w.tenant.ID,
		database.At(start.Add(-time.Minute)), p.session)
}

func poll(code string) form {
	return client("web").with(form{"grant_type": string(oauth.GrantDeviceCode), "device_code": code})
}

func TestPollingWithADeviceCode(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		for name, tt := range map[string]struct {
			decision string
			code     func(*grants.DeviceCode)
			request  form
			error    oauth.Code // 400 where set
		}{
			"an undecided code (RFC 8628 3.5)": {error: oauth.AuthorizationPending},
			"approved":                         {decision: "approved"},
			"denied":                           {decision: "denied", error: oauth.AccessDenied},
			"expired": {
				code:  func(d *grants.DeviceCode) { d.ExpiresAt = start },
				error: oauth.ExpiredToken,
			},
			"approved, but expired since": {
				decision: "approved",
				code:     func(d *grants.DeviceCode) { d.ExpiresAt = start },
				error:    oauth.ExpiredToken,
			},
			"no code":         {request: form{"device_code": ""}, error: oauth.InvalidRequest},
			"an unknown code": {request: form{"device_code": "nonsense"}, error: oauth.InvalidGrant},
			"another application's code": {
				decision: "approved",
				request:  client("other"),
				error:    oauth.InvalidGrant,
			},
			"a public application": {
				decision: "approved",
				code:     func(d *grants.DeviceCode) { d.ClientID = "spa" },
				request:  form{"client_id": "spa", "client_secret": ""},
			},
			"the resource that was allowed": {
				decision: "approved",
				code:     func(d *grants.DeviceCode) { d.Resource = apiURI },
				request:  form{"resource": apiURI},
			},
			"a resource that was not consented to": {
				decision: "approved",
				request:  form{"resource": apiURI},
				error:    oauth.InvalidTarget,
			},
			"another resource than authorized": {
				decision: "approved",
				code:     func(d *grants.DeviceCode) { d.Resource = apiURI },
				request:  form{"resource": "https://other.test"},
				error:    oauth.InvalidTarget,
			},
		} {
			t.Run(name, func(t *testing.T) {
				got := w.post(t, poll(w.device(t, p, tt.decision, tt.code)).with(tt.request))
				if tt.error != "" {
					requireError(t, got, 400, tt.error)
					return
				}

				require.Equal(t, http.StatusOK, got.status, got.raw)
				require.Equal(t, "openid email", got.str("scope"))
			})
		}
	})
}

// RFC 8628 3.5: slow_down adds five seconds, for this and all later polls.
func TestPollingTooFast(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		code := w.device(t, p, "", nil)
		expect := func(after time.Duration, want oauth.Code) {
			t.Helper()
			w.clock.Advance(after)
			requireError(t, w.post(t, poll(code)), 400, want)
		}

		expect(0, oauth.AuthorizationPending)             // the first is never too fast
		expect(4*time.Second, oauth.AuthorizationPending) // a second of jitter
		expect(3*time.Second, oauth.SlowDown)             // now 10 s
		expect(time.Second, oauth.SlowDown)               // now 15 s
		expect(11*time.Second, oauth.AuthorizationPending)
		expect(13*time.Second, oauth.SlowDown) // now 20 s

		foreign := w.post(t, poll(code).with(client("other")))
		requireError(t, foreign, 400, oauth.InvalidGrant)
		expect(7*time.Second, oauth.AuthorizationPending) // another client's poll counted for nothing

		w.decide(t, code, p, "approved")
		require.Equal(t, http.StatusOK, w.post(t, poll(code)).status, "an approved code is never held back")
		requireError(t, w.post(t, poll(code)), 400, oauth.InvalidGrant)
	})
}

// RFC 8628 3.5, within bounds: a device that was impatient can recover.
func TestTheIntervalStaysBelowAMinute(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		code := w.device(t, w.person(t), "", nil)
		requireError(t, w.post(t, poll(code)), 400, oauth.AuthorizationPending)
		for range 20 {
			requireError(t, w.post(t, poll(code)), 400, oauth.SlowDown)
		}

		w.clock.Advance(time.Minute)
		requireError(t, w.post(t, poll(code)), 400, oauth.AuthorizationPending)
	})
}

// RFC 8628 3.4, 3.5.
func TestOfManyPollsAtOnceOneIsTheFirst(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		code := w.device(t, p, "", nil)
		count := func() map[string]int {
			counts := map[string]int{}
			for _, a := range w.together(poll(code), 50) {
				counts[a.str("error")]++
			}
			return counts
		}

		require.Equal(t, map[string]int{"authorization_pending": 1, "slow_down": 49}, count())
		w.decide(t, code, p, "approved")
		require.Equal(t, map[string]int{"": 1, "invalid_grant": 49}, count(), "one redeems it")
	})
}

// together sends the same request n times at the same moment.
func (w *world) together(f form, n int) []answer {
	answers := make([]answer, n)
	var ready, done sync.WaitGroup
	ready.Add(n)

	for i := range answers {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			answers[i] = w.serve(tokenRequest(f.encode(), nil))
		})
	}

	done.Wait()
	return answers
}

// RFC 8628 3.5, OpenID Connect Core 2.
func TestADevicesTokensBelongToNoSession(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		got := w.post(t, poll(w.device(t, p, "approved", nil)))
		require.Equal(t, http.StatusOK, got.status, got.raw)
		access, id := w.verified(t, got.str("access_token"), "at+jwt",
			"ES256"), w.verified(t, got.str("id_token"), "JWT", "RS256")
		for _, claims := range []map[string]any{access, id} {
			require.NotContains(t, claims, "sid")
			require.NotContains(t, claims, "nonce")
			require.Equal(t, p.user.ID, claims["sub"])
			require.Equal(t, "acme", claims["tenant_slug"])
			require.EqualValues(t, start.Add(-time.Minute).Unix(), claims["auth_time"])
		}

		w.exec(t, `UPDATE sessions SET ended_at = $1`, database.At(w.clock.Now()))
		info := w.userinfo(t, got.str("access_token"))
		require.Equal(t, http.StatusOK, info.status, info.raw)
		require.Equal(t, p.user.Email, info.str("email"))
	})
}

// RFC 8628 3.5, RFC 6749 5.2.
func TestADeviceGetsNothingFromAnAccountThatHasEnded(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for name, end := range endings(w) {
			t.Run(name, func(t *testing.T) {
				p := w.person(t)
				code := w.device(t, p, "approved", nil)
				end(t, p)
				got := w.post(t, poll(code))
				requireError(t, got, 400, oauth.InvalidGrant)
			})
		}
	})
}
