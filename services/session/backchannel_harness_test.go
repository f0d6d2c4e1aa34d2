package session

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	signingstore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/wiring"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
)

const soon = 20 * time.Second

// listener is an application's back-channel logout endpoint.
type listener struct {
	*httptest.Server
	heard chan *http.Request // with its form parsed
}

// listen answers each request with what answer says, then with 200.
func listen(t *testing.T, answer func(w http.ResponseWriter, nth int)) *listener {
	t.Helper()
	l := &listener{heard: make(chan *http.Request, 1000)}
	var mu sync.Mutex
	nth := 0
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}

		mu.Lock()
		nth++
		n := nth
		mu.Unlock()
		l.heard <- r

		if answer != nil {
			answer(w, n)
		}
	}))

	t.Cleanup(l.Close)

	return l
}

// next is the next logout token that arrives.
func (l *listener) next(t *testing.T) string {
	t.Helper()

	select {
	case r := <-l.heard:
		require.Equal(t, http.MethodPost, r.Method)
		require.Equal(t, "application/x-www-form-urlencoded", r.Header.Get("Content-Type"))
		require.Len(t, r.Form, 1, "nothing but the token (OpenID Connect Back-Channel Logout 1.0 2.5)")
		require.Empty(t, r.URL.RawQuery)
		return r.PostForm.Get("logout_token")
	case <-time.After(soon):
		require.Fail(t, "no logout token came")
		return ""
	}
}

func (l *listener) silent(t *testing.T) {
	t.Helper()
	require.Empty(t, l.heard)
}

// backchannelConfig lets the task go to this machine.
func backchannelConfig(t *testing.T) Config {
	cfg := testConfig(t)
	cfg.Signing.IDTokenAlg = signing.RS256
	cfg.Outbound.Allow = []string{"127.0.0.1"}
	return cfg
}

// replica is another process of the service that only delivers; stop ends it.
// The one behind the world's handler runs no tasks, as if it had died after each
// answer.
func (w *world) replica(cfg Config) (stop func()) {
	w.t.Helper()
	deps, err := w.deps().Complete()
	require.NoError(w.t, err)
	ring := signing.NewRing(signing.RingOptions{
		Schedule: signingstore.New(w.service),
		Backend:  w.keys,
		Now:      w.clock.Now,
	})
	applications := appcache.New(directorystore.NewApplications(w.service), appcache.Options{Now: w.clock.Now})
	task, err := newBackchannel(cfg, &wiring.Kit{Deps: deps, Name: "session"}, applications, ring)
	require.NoError(w.t, err)
	task.Poll = time.Millisecond
	return w.start(task)
}

func (w *world) start(task *app.Backchannel) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := task.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})

	stop = func() {
		cancel()
		done.Wait()
	}
	w.t.Cleanup(stop)

	return stop
}

// listening registers where an application hears of logouts.
func (w *world) listening(clientID, uri string, alg signing.Algorithm) {
	w.t.Helper()
	w.operate(func(ctx context.Context, o *directorystore.Writer) {
		require.NoError(w.t, o.SaveApplication(ctx, &directory.Application{
			ClientID:             clientID,
			Name:                 clientID,
			Type:                 directory.Web,
			ScopeLevel:           directory.Global,
			Active:               true,
			BackchannelLogoutURI: uri,
			IDTokenAlg:           string(alg),
		}, started))
	})
}

// holds gives an application a token of a session.
func (w *world) holds(clientID, sid string) {
	w.t.Helper()
	_, err := w.db.Exec(w.t.Context(), "test",
		`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, offline, created_at, expires_at)
		VALUES ($1, $2, 'usr_ada', 'tnt_acme', $3, 'openid', $4, $5, $5)`, "gnt_"+clientID+sid, clientID, sid, false,
		database.At(w.clock.Now()))
	require.NoError(w.t, err)
}

// key makes a key for logout tokens that is active now.
func (w *world) key(alg signing.Algorithm) {
	w.t.Helper()
	w.keyOf(alg.Logout())
}

func (w *world) keyOf(alg signing.Algorithm) {
	w.t.Helper()
	require.NoError(w.t,
		signingstore.New(w.db).Insert(w.t.Context(), signingtest.NewKey(w.t, w.keys, alg, 1, started.Add(-time.Hour))))
}

// leave signs ada in, gives the applications a token, and signs her out through
// the pages.
func (w *world) leave(clientIDs ...string) (sid string) {
	w.t.Helper()
	b := w.signedIn()
	sid = b.session().ID
	for _, id := range clientIDs {
		w.holds(id, sid)
	}

	b.Get(logoutURL).Submit("Sign out", nil)
	require.True(w.t, w.ended(sid))
	return sid
}

func (w *world) waiting() int {
	w.t.Helper()
	state, err := sqlstore.New(w.service).State(w.t.Context())
	require.NoError(w.t, err)
	return state.Waiting
}

// settled waits until so many notices are left.
func (w *world) settled(left int) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return w.waiting() == left }, soon, time.Millisecond)
}

// postponed waits until the notice's next attempt is in the future, and returns
// how far.
func (w *world) postponed(attempts int) time.Duration {
	w.t.Helper()
	var row struct {
		Attempts int           `db:"attempts"`
		Next     database.Time `db:"next_attempt_at"`
	}
	// A claimed notice is put off by exactly the lease.
	require.Eventually(w.t, func() bool {
		err := w.db.Get(w.t.Context(), "test", &row,
			`SELECT attempts, next_attempt_at FROM logout_outbox WHERE gave_up_at IS NULL`)
		return err == nil && row.Attempts == attempts && !row.Next.Equal(w.clock.Now().Add(time.Minute))
	}, soon, time.Millisecond)
	return row.Next.Sub(w.clock.Now())
}

func (w *world) trail(kind audit.Kind) (found []audit.Record) {
	w.t.Helper()
	all, err := auditstore.Read(w.t.Context(), w.db, audit.Filter{})
	require.NoError(w.t, err)
	for _, r := range all {
		if r.Kind == kind {
			found = append(found, r)
		}
	}
	return found
}

// opened verifies a token's signature with the published key and returns header
// and claims.
func (w *world) opened(token string, alg signing.Algorithm) (typ any, claims map[string]any) {
	w.t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	require.NoError(w.t, err)
	keys, err := signingstore.New(w.db).Keys(w.t.Context())
	require.NoError(w.t, err)
	header := jws.Signatures[0].Protected
	own := slices.ContainsFunc(keys, func(k signing.Key) bool { return k.Algorithm.ForLogout() })
	for _, k := range keys {
		if k.KID == header.KeyID {
			require.Equal(w.t, own, k.Algorithm.ForLogout(), "a key that signs nothing else, unless there is none")
			payload, err := jws.Verify(k.PublicKey)
			require.NoError(w.t, err)
			require.NoError(w.t, json.Unmarshal(payload, &claims))
			return header.ExtraHeaders[jose.HeaderType], claims
		}
	}

	require.Fail(w.t, "the key is not published")
	return nil, nil
}
