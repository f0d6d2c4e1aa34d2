package session

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

func TestEachApplicationOfTheSessionIsToldWithATokenOfItsOwn(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		billing, other, stranger := listen(t,
			nil), listen(t, func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusNoContent) }), listen(t, nil)
		w.key(signing.RS256)
		w.key(signing.ES256)
		w.listening("billing", billing.URL+"/out", "")
		w.listening("other", other.URL, signing.ES256)
		w.listening("stranger", stranger.URL, "")
		w.replica(backchannelConfig(t))
		sid := w.leave("billing", "other")

		ids := map[any]bool{}
		for _, c := range []struct {
			l        *listener
			clientID string
			alg      signing.Algorithm
		}{{billing, "billing", signing.RS256}, {other, "other", signing.ES256}} {
			typ, claims := w.opened(c.l.next(t), c.alg)
			require.Equal(t, "logout+jwt", typ, "OpenID Connect Back-Channel Logout 1.0 2.4")
			ids[claims["jti"]] = true
			require.Len(t, claims["jti"], 26)
			delete(claims, "jti")
			require.Equal(t, map[string]any{
				"iss":    issuer,
				"sub":    "usr_ada",
				"aud":    c.clientID,
				"sid":    sid,
				"iat":    float64(started.Unix()),
				"exp":    float64(started.Add(2 * time.Minute).Unix()),
				"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
			}, claims, "and no nonce")
		}

		require.Len(t, ids, 2)
		w.settled(0)
		require.Eventually(t, func() bool { return len(w.trail(audit.LogoutDelivered)) == 2 }, soon, time.Millisecond)
		require.Equal(t, sid, w.trail(audit.LogoutDelivered)[0].SessionID)
		stranger.silent(t)
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.4: its typ keeps it from passing for an ID
// token (RFC 8725 3.11).
func TestALogoutTokenIsNoHint(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		l := listen(t, nil)
		w.key(signing.RS256)
		w.listening("billing", l.URL, "")
		w.replica(backchannelConfig(t))
		w.leave("billing")
		p := w.newBrowser().Get(query("id_token_hint", l.next(t)))
		require.Equal(t, http.StatusBadRequest, p.Status)
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.5: in parallel, and again after a pause that
// doubles.
func TestAnApplicationThatIsAwayIsToldLaterAndTheOthersAtOnce(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		away := listen(t, func(w http.ResponseWriter, nth int) {
			if nth <= 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})

		there := listen(t, nil)
		w.key(signing.RS256)
		w.listening("billing", away.URL, "")
		w.listening("other", there.URL, "")
		w.replica(backchannelConfig(t))
		w.leave("billing", "other")
		there.next(t)
		_, first := w.opened(away.next(t), signing.RS256)
		w.settled(1)

		for attempt, most := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
			pause := w.postponed(attempt + 1)
			require.GreaterOrEqual(t, pause, most/2)
			require.LessOrEqual(t, pause, most, "it doubles")
			away.silent(t)
			w.clock.Advance(pause)
			_, again := w.opened(away.next(t), signing.RS256)
			require.NotEqual(t, first["jti"], again["jti"])
			require.Equal(t, first["sid"], again["sid"])
			require.Greater(t, again["iat"], first["iat"], "signed when it is sent")
		}

		w.settled(0)
		there.silent(t)
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.5: an application that hangs holds two
// slots of each replica and no more, and what waits for it is postponed together.
func TestAnApplicationThatHangsDelaysNoOther(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		release := make(chan struct{})
		hanging := listen(t, func(w http.ResponseWriter, _ int) {
			<-release
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		there := listen(t, nil)
		w.key(signing.RS256)
		w.listening("billing", hanging.URL, "")
		w.listening("other", there.URL, "")
		const sessions = 100
		b := w.signedIn()
		sid := b.session().ID

		for i := range sessions { // notices as the ends of so many sessions leave
			_, err := w.db.Exec(t.Context(), "test",
				`INSERT INTO logout_outbox (id, client_id, uri, user_id, session_id, created_at, next_attempt_at)
				VALUES ($1, 'billing', '', 'usr_ada', $1, $2, $2)`, "ses_"+strconv.Itoa(i),
				database.At(w.clock.Now().Add(-time.Minute)))
			require.NoError(t, err)
		}

		w.replica(backchannelConfig(t))
		w.replica(backchannelConfig(t))

		for range 4 {
			hanging.next(t)
		}

		w.holds("other", sid)
		b.Get(logoutURL).Submit("Sign out", nil)
		there.next(t)
		hanging.silent(t)

		close(release)
		pending := func(where string) (n int) {
			require.NoError(t,
				w.db.Get(t.Context(), "test", &n, `SELECT count(*) FROM logout_outbox WHERE client_id = 'billing' AND `+where,
					database.At(w.clock.Now())))
			return n
		}
		require.Eventually(t, func() bool { return pending("next_attempt_at <= $1") == 0 }, soon, time.Millisecond)
		require.Equal(t, sessions, pending("next_attempt_at > $1"))
		require.Less(t, len(hanging.heard), sessions/2, "most were postponed untried")
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.5 and 2.8.
func TestAfterADayItIsGivenUpAndAudited(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		l := listen(t, func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusBadRequest) })
		w.key(signing.RS256)
		w.listening("billing", l.URL, "")
		w.replica(backchannelConfig(t))
		sid := w.leave("billing")
		l.next(t)
		w.postponed(1)
		w.clock.Advance(23*time.Hour + 50*time.Minute)
		l.next(t)
		w.postponed(2)
		w.clock.Advance(10 * time.Minute)
		l.next(t)
		w.settled(0)
		require.Eventually(t, func() bool { return len(w.trail(audit.LogoutUndelivered)) == 1 }, soon, time.Millisecond)
		event := w.trail(audit.LogoutUndelivered)[0].Event
		require.Equal(t, audit.Event{
			Kind:      audit.LogoutUndelivered,
			UserID:    "usr_ada",
			ClientID:  "billing",
			SessionID: sid,
			Detail:    map[string]string{"outcome": "rejected"},
		}, event)

		w.clock.Advance(48 * time.Hour)
		l.silent(t)
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.5 and 4: a registered URI isn't a way into our
// own network.
func TestWhereLogoutTokensAreNotSent(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		inner := listen(t, nil)
		u, err := url.Parse(inner.URL)
		require.NoError(t, err)
		redirecting := listen(t, func(w http.ResponseWriter, _ int) {
			w.Header().Set("Location", inner.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		w.key(signing.RS256)
		allowed := backchannelConfig(t)
		for name, c := range map[string]struct {
			uri   string
			allow []string
		}{
			"http":              {inner.URL, nil},
			"a private address": {"https://127.0.0.1:" + u.Port(), nil},
			"a private name":    {"https://localhost:" + u.Port(), []string{"other.test"}},
			"where a redirect points to, not even after the application": {redirecting.URL, allowed.Outbound.Allow},
		} {
			cfg := backchannelConfig(t)
			cfg.Outbound.Allow = c.allow
			w.listening("billing", c.uri, "")
			stop := w.replica(cfg)
			w.leave("billing")
			require.Positive(t, w.postponed(1), name)
			stop()
			_, err := w.db.Exec(t.Context(), "test", `DELETE FROM logout_outbox`)
			require.NoError(t, err)
		}

		inner.silent(t)
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.2.
func TestTheRegistrationOfNowCounts(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		before, corrected := listen(t, nil), listen(t, nil)
		w.key(signing.RS256)
		w.listening("billing", before.URL, "")
		w.listening("other", before.URL, "")
		w.listening("third", corrected.URL, "")
		w.leave("billing", "other", "third")
		w.listening("billing", corrected.URL, "")
		w.listening("other", "", "")
		w.operate(func(ctx context.Context, o *directorystore.Writer) {
			require.NoError(t, o.DisableApplication(ctx, "third", started))
		})
		w.replica(backchannelConfig(t))
		corrected.next(t)
		corrected.next(t) // a disabled application may keep sessions of its own
		w.settled(0)
		before.silent(t)
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.4: what cannot be signed is not sent.
func TestWithoutAKeyTheNoticeWaits(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		l := listen(t, nil)
		w.listening("billing", l.URL, "")
		w.replica(backchannelConfig(t))
		w.leave("billing")
		pause := w.postponed(1)
		w.key(signing.RS256)
		w.clock.Advance(pause + 10*time.Second)
		l.next(t)
		w.settled(0)
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.5.
func TestWhatADeadProcessHadClaimedIsSentAfterItsLease(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		l := listen(t, nil)
		w.key(signing.RS256)
		w.listening("billing", l.URL, "")
		w.leave("billing")
		now := w.clock.Now()
		notices, err := sqlstore.New(w.service).Claim(t.Context(), ports.NoticeClaim{
			Now:            now,
			Until:          now.Add(time.Minute),
			Most:           10,
			PerApplication: 10,
		})

		require.NoError(t, err)
		require.Len(t, notices, 1)
		w.replica(backchannelConfig(t))
		w.clock.Advance(59 * time.Second)
		l.silent(t)
		w.clock.Advance(time.Second)
		l.next(t)
		w.settled(0)
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.5.
func TestReplicasDeliverEachNoticeOnce(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		l := listen(t, nil)
		w.key(signing.RS256)
		const apps = 60
		var ids []string
		for i := range apps {
			id := "app" + strconv.Itoa(i)
			w.listening(id, l.URL, "")
			ids = append(ids, id)
		}

		w.leave(ids...)

		for range 5 {
			w.replica(backchannelConfig(t))
		}

		heard := map[any]bool{}
		for range apps {
			_, claims := w.opened(l.next(t), signing.RS256)
			heard[claims["aud"]] = true
		}

		w.settled(0)
		require.Len(t, heard, apps)
		l.silent(t)
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.8: an answer that came is not asked for again.
func TestWhatIsUnderwayIsFinishedWhenTheProcessStops(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		release := make(chan struct{})
		l := listen(t, func(http.ResponseWriter, int) { <-release })
		w.key(signing.RS256)
		w.listening("billing", l.URL, "")
		w.leave("billing")
		stop := w.replica(backchannelConfig(t))
		l.next(t)
		stopped := make(chan struct{})
		go func() {
			stop()
			close(stopped)
		}()
		close(release)
		<-stopped
		require.Zero(t, w.waiting(), "it was answered, so it is not sent again")
	})
}

// A platform of a version that had none gets its first keys for logout tokens in a
// while: until then those of ID tokens sign, and afterwards they do no more.
func TestWithoutKeysForLogoutTokensThoseOfIDTokensSign(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		l := listen(t, nil)
		w.keyOf(signing.RS256)
		w.listening("billing", l.URL, "")
		stop := w.replica(backchannelConfig(t))
		w.leave("billing")
		w.opened(l.next(t), signing.RS256)
		w.settled(0)
		stop()

		w.key(signing.RS256)
		w.replica(backchannelConfig(t))
		w.leave("billing")
		w.opened(l.next(t), signing.RS256)
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.5.
func TestTheServiceDeliversWhatItEndsAtOnce(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		l := listen(t, nil)
		w.key(signing.RS256)
		w.listening("billing", l.URL, "")
		service, err := build(backchannelConfig(t), w.deps(), w.hasher)
		require.NoError(t, err)
		w.handler = service.Handler
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() {
			if err := service.Run(ctx); err != nil {
				t.Error(err)
			}
		})

		defer done.Wait()
		defer cancel()
		sid := w.leave("billing")
		_, claims := w.opened(l.next(t), signing.RS256)
		require.Equal(t, sid, claims["sid"])
		w.settled(0)
	})
}

// OpenID Connect Back-Channel Logout 1.0 2.3: whatever ends a session, its applications
// are told.
func TestASignInThatReplacesASessionTellsItsApplications(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		l := listen(t, nil)
		w.key(signing.RS256)
		w.listening("other", l.URL, "")
		b := w.signedIn()
		sid := b.session().ID
		w.holds("other", sid)
		w.clock.Advance(time.Minute)
		_, page := b.flow(prompt(oauth.PromptSelectAccount)) // another tenant is another session
		w.operate(func(ctx context.Context, o *directorystore.Writer) {
			ada := directory.User{
				ID:     "usr_ada",
				Email:  "ada@acme.test",
				Name:   "The ada",
				Active: true,
			}

			require.NoError(t, o.SaveUser(ctx, ada, []string{"tnt_acme", "tnt_north"}, started))
		})

		b.Get(page).Submit("Northwind", nil)
		require.NotEqual(t, sid, b.session().ID)
		w.replica(backchannelConfig(t))
		_, claims := w.opened(l.next(t), signing.RS256)
		require.Equal(t, sid, claims["sid"])
	})
}

func TestTheServiceNeedsKeysAndReadableExceptions(t *testing.T) {
	db := testkit.SQLite(t)
	w := newWorld(t, db, db)
	deps := w.deps()
	deps.Signing = nil
	_, err := New(testConfig(t), deps)
	require.ErrorContains(t, err, "Signing")
	cfg := testConfig(t)
	cfg.Outbound.Allow = []string{"*"}
	_, err = New(cfg, w.deps())
	require.ErrorContains(t, err, `"*" isn't a host`)
}
