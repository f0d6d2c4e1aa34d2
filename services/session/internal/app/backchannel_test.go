package app_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

func TestALogoutNoticeWaitsWhileThereIsNoKeyToSignIt(t *testing.T) {
	w := newWorld(t)
	w.leaves(t)
	p := w.post(t)
	p.wait(t, "Postpone")
	require.Empty(t, p.sent(), "no token goes out unsigned")
	require.Equal(t, 1, p.state(t).Waiting)

	w.schedule.Set(signingtest.NewKey(t, w.keys, signing.RS256.Logout(), 1, start))
	require.NoError(t, w.ring.Load(t.Context()))
	w.clock.Advance(time.Minute)
	p.wait(t, "Remove")
	p.stop()

	require.Len(t, p.sent(), 1)
	require.Equal(t, []ports.LogoutOutcome{ports.LogoutUnsigned, ports.LogoutDelivered}, p.outcomes())
	require.Equal(t, []audit.Kind{audit.LogoutDelivered}, w.trail.kinds())
}

// An application may remember the ids of tokens, so a token that is sent again has another.
func TestADeliveryThatCannotBeStoredIsRepeatedWithANewToken(t *testing.T) {
	w := newWorld(t)
	w.sign(t)
	w.leaves(t)
	w.fail("Remove", errDisk)
	p := w.post(t)
	p.wait(t, "Remove")
	require.Len(t, p.sent(), 1)

	w.fail("Remove", nil)
	w.clock.Advance(time.Minute)
	p.wait(t, "Remove")
	p.stop()

	sent := p.sent()
	require.Len(t, sent, 2)
	require.NotEqual(t, sent[0], sent[1])
	require.Contains(t, w.logs.String(), "can't store the outcome of a back-channel logout")
	require.Equal(t, []audit.Kind{audit.LogoutDelivered}, w.trail.kinds())
	require.Zero(t, p.state(t).Waiting)
}

func TestADeliveryThatAnotherReplicaStoredIsRecordedThere(t *testing.T) {
	w := newWorld(t)
	w.sign(t)
	w.leaves(t)
	w.before("Remove", func() {
		_, err := w.db.Exec(t.Context(), "test", `DELETE FROM logout_outbox`)
		require.NoError(t, err)
	})
	p := w.post(t)
	p.wait(t, "Remove")
	p.stop()

	require.Len(t, p.sent(), 1)
	require.Empty(t, w.trail.kinds())
}

func TestAnOutboxThatCannotBeReadIsLoggedOnceAndReadAgain(t *testing.T) {
	w := newWorld(t)
	w.sign(t)
	w.leaves(t)
	w.fail("Claim", errDisk)
	p := w.post(t)

	for range 3 {
		p.wait(t, "Claim")
	}

	w.fail("Claim", nil)
	p.wait(t, "Remove")
	p.stop()
	require.Len(t, p.sent(), 1)
	require.Equal(t, 1, strings.Count(w.logs.String(), "can't read logout notices"))
}

func TestANoticeIsGivenUpAfterADayEvenIfTheTrailFails(t *testing.T) {
	w := newWorld(t)
	w.sign(t)
	w.leaves(t)
	w.fail("Send", errDisk)
	w.fail("Record", errDisk)
	w.clock.Advance(25 * time.Hour)
	p := w.post(t)
	p.wait(t, "GiveUp")
	p.stop()

	require.Equal(t, 1, p.state(t).Undelivered)
	require.Contains(t, w.logs.String(), string(audit.LogoutUndelivered))
}

// sign makes a key that signs logout tokens.
func (w *world) sign(t *testing.T) {
	t.Helper()
	w.schedule.Set(signingtest.NewKey(t, w.keys, signing.RS256.Logout(), 1, start))
	require.NoError(t, w.ring.Load(t.Context()))
}

// leaves signs Ada in, gives notes a token, and signs her out, so that notes has to be told.
func (w *world) leaves(t *testing.T) {
	t.Helper()
	w.signedIn(t, ada)
	s := w.live(t, "usr_ada")[0]
	_, err := w.db.Exec(t.Context(), "test",
		`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, offline, created_at, expires_at)
		VALUES ('gnt_1', 'notes', 'usr_ada', 'tnt_acme', $1, 'openid', false, $2, $3)`,
		s.ID, database.At(start), database.At(start.Add(time.Hour)))
	require.NoError(t, err)
	w.end(t, s)
}

// post is the task that delivers notices, with the outbox, the network and the metrics that it
// uses.
type post struct {
	outbox
	stop func()

	mu     sync.Mutex
	tokens []string
	counts []ports.LogoutOutcome
}

// post starts to deliver.
func (w *world) post(t *testing.T) *post {
	t.Helper()
	p := &post{outbox: outbox{
		Outbox: sqlstore.New(w.db),
		orders: w.orders,
		done:   make(chan string, 1000),
	}}
	task := &app.Backchannel{
		Issuer:       "https://id.test",
		IDTokenAlg:   signing.RS256,
		Outbox:       p,
		Applications: appcache.New(directorystore.NewApplications(w.db), appcache.Options{Now: w.clock.Now}),
		Signer:       w.ring,
		Sender:       p,
		Trail:        w.trail,
		Observer:     p,
		Logger:       slog.New(slog.NewTextHandler(w.logs, nil)),
		Now:          w.clock.Now,
		Random:       rand.Reader,
		Poll:         time.Millisecond,
	}

	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := task.Run(ctx); err != nil {
			t.Error(err)
		}
	})

	p.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(p.stop)

	return p
}

// Send implements ports.LogoutSender.
func (p *post) Send(_ context.Context, _, token string) (ports.LogoutOutcome, error) {
	if err := p.follow("Send"); err != nil {
		return ports.LogoutUnreachable, err
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens = append(p.tokens, token)
	return ports.LogoutDelivered, nil
}

func (p *post) sent() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tokens
}

// Attempted implements ports.LogoutObserver.
func (p *post) Attempted(_ context.Context, outcome ports.LogoutOutcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts = append(p.counts, outcome)
}

func (p *post) outcomes() []ports.LogoutOutcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

func (p *post) state(t *testing.T) ports.OutboxState {
	t.Helper()
	state, err := p.Outbox.(*sqlstore.Store).State(t.Context())
	require.NoError(t, err)
	return state
}

// outbox is the real store, but follows orders and says what was done.
type outbox struct {
	ports.Outbox
	*orders
	done chan string
}

// wait waits until a method was called once more.
func (o *outbox) wait(t *testing.T, method string) {
	t.Helper()
	for {
		select {
		case done := <-o.done:
			if done == method {
				return
			}
		case <-time.After(testkit.Patience):
			require.FailNow(t, "not called", method)
		}
	}
}

func (o *outbox) Claim(ctx context.Context, c ports.NoticeClaim) ([]ports.LogoutNotice, error) {
	if err := o.follow("Claim"); err != nil {
		select {
		case o.done <- "Claim":
		default: // nothing waits for so many
		}
		return nil, err
	}

	return o.Outbox.Claim(ctx, c)
}

func (o *outbox) Remove(ctx context.Context, id string) (bool, error) {
	defer func() { o.done <- "Remove" }()
	if err := o.follow("Remove"); err != nil {
		return false, err
	}
	return o.Outbox.Remove(ctx, id)
}

func (o *outbox) Postpone(ctx context.Context, n ports.LogoutNotice, now, until time.Time) error {
	defer func() { o.done <- "Postpone" }()
	return o.Outbox.Postpone(ctx, n, now, until)
}

func (o *outbox) GiveUp(ctx context.Context, n ports.LogoutNotice, at time.Time) (bool, error) {
	defer func() { o.done <- "GiveUp" }()
	return o.Outbox.GiveUp(ctx, n, at)
}
