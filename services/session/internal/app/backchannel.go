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
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

const (
	// defaultPoll is how soon a replica sees what another one wrote, or what is due
	// again; its own it sees at once.
	defaultPoll = 2 * time.Second
	// parallel is how many attempts there are at the same time, of them
	// perApplication at one application, and ailing at all those together whose last
	// attempt failed.
	parallel       = 64
	perApplication = 2
	ailing         = 16
	// lease is how long an attempt may take before others think it dead: longer
	// than signing and sending together may.
	lease = time.Minute
	// giveUpAfter counts from the session's end.
	giveUpAfter = 24 * time.Hour
	firstRetry  = 5 * time.Second
	lastRetry   = time.Hour
	// settleTimeout bounds one attempt with what is written of it. It goes on when
	// the process stops: an answered token must not be sent again.
	settleTimeout = 20 * time.Second
)

// Backchannel tells applications that a session has ended (OpenID Connect
// Back-Channel Logout 1.0): it takes notices from the outbox, signs a token for
// each when it is sent, and tries for a day. Each is delivered at least once, and
// once unless a process dies on the way. Fields up to Random are needed.
type Backchannel struct {
	Issuer       string
	IDTokenAlg   signing.Algorithm // where the application has none of its own
	Outbox       ports.Outbox
	Applications ports.Applications
	Signer       ports.LogoutSigner
	Sender       ports.LogoutSender
	Trail        ports.Trail
	Observer     ports.LogoutObserver
	Logger       *slog.Logger
	Now          func() time.Time
	Random       io.Reader

	Poll time.Duration // how often to look without being woken; 2 s when 0

	once sync.Once
	wake chan struct{}
}

// end ends a session, its online grants with it, and has the applications told.
func (a *App) end(ctx context.Context, s *sessions.Session) error {
	if err := a.Writer.End(ctx, s.ID, a.Now()); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	a.Backchannel.Wake()
	return nil
}

// Wake says that there may be new notices. It never waits, and does nothing on a
// nil Backchannel.
func (b *Backchannel) Wake() {
	if b == nil {
		return
	}

	select {
	case b.signal() <- struct{}{}:
	default: // it is awake
	}
}

func (b *Backchannel) signal() chan struct{} {
	b.once.Do(func() { b.wake = make(chan struct{}, 1) })
	return b.wake
}

// Run delivers until ctx ends, and then finishes what it has begun. Replicas take
// different notices; a failure waits for the next round.
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
			b.Logger.WarnContext(ctx, "logout notices cannot be read", "error", err)
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

// begin claims as many notices as there are free slots, and starts on them. An
// application that does not answer holds its own slots only.
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

// attempt delivers one notice and settles it.
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
			"the outcome of a back-channel logout was not written: it will be sent again", "cause", err)
	}

	return outcome
}

func (b *Backchannel) deliver(ctx context.Context, n ports.LogoutNotice) (ports.LogoutOutcome, error) {
	app, err := b.Applications.Application(ctx, n.ClientID)
	switch {
	// A disabled application hears of what ended with its disabling: it may keep
	// sessions of its own.
	case errors.Is(err, directory.ErrNotFound), err == nil && app.BackchannelLogoutURI == "":
		return ports.LogoutObsolete, nil
	case err != nil:
		return ports.LogoutUnsigned, fmt.Errorf("read the application: %w", err)
	}

	token, err := b.token(ctx, app, n)
	if err != nil {
		return ports.LogoutUnsigned, err
	}

	// The present URI, not that of the session's end: it may have been corrected.
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
	token, err := b.Signer.Sign(ctx, alg, domain.TypeLogoutToken, claims)
	if again := b.Signer.Choose(algorithms...); errors.Is(err, signing.ErrNoKey) && again != alg {
		// The signer knew no keys until it looked for one.
		return b.Signer.Sign(ctx, again, domain.TypeLogoutToken, claims)
	}

	return token, err
}

// logoutAlgorithms are what a logout token may be signed with, best first: as an ID
// token is (Back-Channel Logout 2.4), with a key that signs nothing else. While the
// platform has no such key in use, because it is of a version that made none, the keys
// of ID tokens sign.
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

// settle writes what came of an attempt.
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

		log.InfoContext(ctx, "an application heard of a logout")
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
		log.InfoContext(ctx, "an application did not hear of a logout yet", "next_attempt_at", next)
		return b.Outbox.Postpone(ctx, n, now, next)
	}

	ours, err := b.Outbox.GiveUp(ctx, n, now)
	if err != nil || !ours {
		return err
	}

	log.WarnContext(ctx, "an application never heard of a logout: given up")
	b.record(ctx, audit.LogoutUndelivered, n, map[string]string{"outcome": string(outcome)})
	return nil
}

func (b *Backchannel) record(ctx context.Context, kind audit.Kind, n ports.LogoutNotice, detail map[string]string) {
	err := b.Trail.Record(ctx, audit.Event{
		Kind:      kind,
		UserID:    n.UserID,
		ClientID:  n.ClientID,
		SessionID: n.SessionID,
		Detail:    detail,
	})
	if err != nil {
		b.Logger.WarnContext(ctx, "the audit trail was not written", "kind", string(kind), "error", err)
	}
}

// pause doubles with each attempt and is drawn from its upper half, so that what
// failed together does not come back together.
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
