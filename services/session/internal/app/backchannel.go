package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"sync"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

const (
	// defaultPoll is how soon a replica sees notices that another one wrote or that are due
	// again. It sees its own notices at once.
	defaultPoll = 2 * time.Second
	// parallel is the maximum number of concurrent attempts. perApplication limits those at one
	// application, and ailing limits the total at applications whose last attempt failed.
	parallel       = 64
	perApplication = 2
	ailing         = 16
	// lease is how long an attempt may take before other replicas consider it dead. It is
	// longer than signing and sending together may take.
	lease = time.Minute
	// giveUpAfter counts from the end of the session.
	giveUpAfter = 24 * time.Hour
	firstRetry  = 5 * time.Second
	lastRetry   = time.Hour
	// settleTimeout bounds one attempt together with writing its outcome. An attempt continues
	// while the process is shutting down, since a token that was accepted must not be sent
	// again.
	settleTimeout = 20 * time.Second
)

// Backchannel notifies applications that a session has ended (OpenID Connect Back-Channel
// Logout 1.0). It takes notices from the outbox, signs a token for each when it is sent,
// and retries for a day. Each notice is delivered at least once, and exactly once unless a
// process dies in between. Fields up to Random are required.
type Backchannel struct {
	Issuer       string
	IDTokenAlg   signing.Algorithm // default for applications that have none of their own
	Outbox       ports.Outbox
	Applications *appcache.Cache
	Signer       *signing.Ring
	Sender       ports.LogoutSender
	Trail        audit.Trail
	Observer     ports.LogoutObserver
	Logger       *slog.Logger
	Now          func() time.Time
	Random       io.Reader

	Poll time.Duration // how often to look without being woken; 2 s when 0

	once sync.Once
	wake chan struct{}
}

// Wake signals that there may be new notices. It never blocks, and does nothing on a nil
// Backchannel.
func (b *Backchannel) Wake() {
	if b == nil {
		return
	}

	select {
	case b.signal() <- struct{}{}:
	default: // already signaled
	}
}

func (b *Backchannel) signal() chan struct{} {
	b.once.Do(func() { b.wake = make(chan struct{}, 1) })
	return b.wake
}

// Run delivers notices until ctx is done, and then waits for the attempts it has begun.
// Replicas take different notices. After a failure it tries again in the next round.
func (b *Backchannel) Run(ctx context.Context) error {
	poll := b.Poll
	if poll <= 0 {
		poll = defaultPoll
	}

	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	lanes := newLanes()
	defer lanes.underway.Wait()
	failing := false
	for {
		err := b.begin(ctx, lanes)
		if err != nil && ctx.Err() == nil && !failing {
			b.Logger.WarnContext(ctx, "can't read logout notices", "error", err)
		}

		failing = err != nil

		select {
		case <-ctx.Done():
			return nil
		case <-b.signal():
		case <-lanes.left: // another notice of that application may be due
		case <-ticker.C:
		}
	}
}

// begin claims as many notices as there are free slots, and starts delivering them. An
// application that doesn't answer holds up only its own slots.
func (b *Backchannel) begin(ctx context.Context, lanes *lanes) error {
	for ctx.Err() == nil {
		free, except := lanes.free()
		if free == 0 {
			return nil
		}

		now := b.Now()
		notices, err := b.Outbox.Claim(ctx, ports.NoticeClaim{
			Now:            now,
			Until:          now.Add(lease),
			Most:           free,
			PerApplication: perApplication,
			Except:         except,
		})
		if err != nil || len(notices) == 0 {
			return err
		}

		for _, n := range notices {
			lanes.enter(n.ClientID)
			lanes.underway.Go(func() {
				outcome := b.attempt(context.WithoutCancel(ctx), n)
				lanes.leave(n.ClientID, outcome)
			})
		}
	}

	return nil
}

// attempt delivers one notice and writes the outcome.
func (b *Backchannel) attempt(ctx context.Context, n ports.LogoutNotice) ports.LogoutOutcome {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	outcome, cause := b.deliver(ctx, n)
	b.Observer.Attempted(ctx, outcome)
	log := b.Logger.With("client_id", n.ClientID, "session_id", n.SessionID, "attempt", n.Attempts,
		"outcome", string(outcome))
	if cause != nil {
		log = log.With("error", cause)
	}

	if err := b.settle(ctx, n, outcome, log); err != nil {
		log.WarnContext(ctx,
			"can't store the outcome of a back-channel logout; it will be sent again", "cause", err)
	}

	return outcome
}

func (b *Backchannel) deliver(ctx context.Context, n ports.LogoutNotice) (ports.LogoutOutcome, error) {
	app, err := b.Applications.Application(ctx, n.ClientID)
	switch {
	// A disabled application is still told of the sessions that ended with its disabling, since
	// it may keep sessions of its own.
	case errors.Is(err, directory.ErrNotFound), err == nil && app.BackchannelLogoutURI == "":
		return ports.LogoutObsolete, nil
	case err != nil:
		return ports.LogoutUnsigned, fmt.Errorf("read the application: %w", err)
	}

	token, err := b.token(ctx, app, n)
	if err != nil {
		return ports.LogoutUnsigned, err
	}

	// Use the present URI rather than the one at the session's end: it may have been corrected.
	return b.Sender.Send(ctx, app.BackchannelLogoutURI, token)
}

func (b *Backchannel) token(ctx context.Context, app *directory.Application, n ports.LogoutNotice) (string, error) {
	id, err := oauth.NewID("", b.Random)
	if err != nil {
		return "", err
	}

	claims := domain.NewLogoutToken(b.Issuer, n.ClientID, n.UserID, n.SessionID, id, b.Now())
	algorithms := logoutAlgorithms(app.IDTokenAlg, b.IDTokenAlg)
	alg := b.Signer.Choose(algorithms...)
	token, err := b.Signer.Sign(ctx, alg, signing.TypeLogoutToken, claims)
	if again := b.Signer.Choose(algorithms...); errors.Is(err, signing.ErrNoKey) && again != alg {
		// The signer knew no keys until it looked for one.
		return b.Signer.Sign(ctx, again, signing.TypeLogoutToken, claims)
	}

	return token, err
}

// logoutAlgorithms returns the algorithms that a logout token may be signed with, best
// first: the same as for ID tokens (Back-Channel Logout 2.4), but with a key that signs
// nothing else. If the platform has no such key in use, because an earlier version didn't
// create one, the keys of ID tokens sign.
func logoutAlgorithms(own string, platform signing.Algorithm) []signing.Algorithm {
	as := []signing.Algorithm{platform, signing.RS256}
	if own != "" {
		as = append([]signing.Algorithm{signing.Algorithm(own)}, as...)
	}

	var algorithms []signing.Algorithm
	for _, alg := range as {
		algorithms = append(algorithms, alg.Logout())
	}
	return append(algorithms, as...)
}

// settle writes the outcome of an attempt.
func (b *Backchannel) settle(
	ctx context.Context, n ports.LogoutNotice, outcome ports.LogoutOutcome, log *slog.Logger,
) error {
	now := b.Now()
	last := n.CreatedAt.Add(giveUpAfter)
	switch {
	case outcome == ports.LogoutDelivered:
		removed, err := b.Outbox.Remove(ctx, n.ID)
		if err != nil || !removed {
			return err
		}

		log.InfoContext(ctx, "back-channel logout delivered")
		b.record(ctx, audit.LogoutDelivered, n, nil)
		return nil
	case outcome == ports.LogoutObsolete:
		_, err := b.Outbox.Remove(ctx, n.ID)
		return err
	case now.Before(last):
		next := now.Add(b.pause(n.Attempts))
		if next.After(last) {
			next = last
		}
		log.InfoContext(ctx, "back-channel logout failed; retrying later", "next_attempt_at", next)
		return b.Outbox.Postpone(ctx, n, now, next)
	}

	ours, err := b.Outbox.GiveUp(ctx, n, now)
	if err != nil || !ours {
		return err
	}

	log.WarnContext(ctx, "back-channel logout failed for good; giving up")
	b.record(ctx, audit.LogoutUndelivered, n, map[string]string{"outcome": string(outcome)})
	return nil
}

func (b *Backchannel) record(ctx context.Context, kind audit.Kind, n ports.LogoutNotice, detail map[string]string) {
	audit.RecordOrLog(ctx, b.Trail, b.Logger, audit.Event{
		Kind:      kind,
		UserID:    n.UserID,
		ClientID:  n.ClientID,
		SessionID: n.SessionID,
		Detail:    detail,
	})
}

// pause returns how long to wait after an attempt. The pause doubles with each attempt and
// is drawn at random from its upper half, so that notices that failed together aren't
// retried together.
func (b *Backchannel) pause(attempts int) time.Duration {
	whole := lastRetry
	if doublings := max(attempts, 1) - 1; doublings < 10 { // 5 s · 2¹⁰ is more than an hour
		whole = min(whole, firstRetry<<doublings)
	}

	drawn, err := rand.Int(b.Random, big.NewInt(int64(whole/2)))
	if err != nil {
		return whole
	}
	return whole - time.Duration(drawn.Int64())
}
