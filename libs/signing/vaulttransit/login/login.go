package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
)

const (
	timeout    = 5 * time.Second // of a request
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second
	// fileInterval is how often a token's file is looked at.
	fileInterval = time.Second
	// doubtInterval is how often a token that counts is doubted at most.
	doubtInterval = time.Second
)

var errNotYet = errors.New("not logged in yet")

// Session is a client's login. Run keeps it; until Begin or Run has logged in the
// client has no token. Err and Doubt are safe for concurrent use.
type Session struct {
	client  *api.Client
	renewer *api.Client // has a timeout, for renewing takes no context
	method  api.AuthMethod
	log     *slog.Logger
	doubt   chan struct{}
	begun   *api.Secret // of Begin, for Run

	mu    sync.Mutex
	token string    // in use
	ends  time.Time // of the token; zero: never
	err   error     // of the last attempt to log in
}

// New makes a session of a client that nobody else logs in. A nil logger is silent.
func New(client *api.Client, method api.AuthMethod, logger *slog.Logger) (*Session, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}

	renewer, err := client.CloneWithHeaders()
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}

	renewer.SetClientTimeout(timeout)
	return &Session{
		client:  client,
		renewer: renewer,
		method:  method,
		log:     logger,
		doubt:   make(chan struct{}, 1),
		err:     errNotYet,
	}, nil
}

// Err is nil while the client has a token that has not ended, else why logging in
// does not succeed.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()

	switch {
	case s.token == "":
		return s.err
	case !s.ends.IsZero() && time.Now().After(s.ends):
		return errors.Join(errors.New("the token has expired"), s.err)
	default:
		return nil
	}
}

// Doubt makes the session look whether its token still counts, because the server
// denied a request with it. It does not wait for the answer.
func (s *Session) Doubt() {
	select {
	case s.doubt <- struct{}{}:
	default: // it is about to look already
	}
}

// Begin logs in once, so that what starts next finds a token. That it cannot is
// Run's to say and to try again.
func (s *Session) Begin(ctx context.Context) {
	if secret, _, err := s.login(ctx); err == nil {
		s.begun = secret
	}
}

// Run logs in, renews the token, and logs in again before it ends, until ctx ends,
// which is no error. It tries again for ever, and says once that it has to.
func (s *Session) Run(ctx context.Context) error {
	if s.begun != nil {
		s.watch(ctx, s.begun)
		s.begun = nil
	}

	failures := 0
	for ctx.Err() == nil {
		secret, news, err := s.login(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end of the process is no failure
		case err != nil:
			if failures == 0 {
				s.log.ErrorContext(ctx, "cannot log in to vault, trying again", slog.Any("error", err))
			}
			failures++
		case !news:
			// The same token again, which is about to end: there is no other yet.
			if failures == 0 {
				s.log.WarnContext(ctx, "the vault token cannot be renewed any longer; replace it")
			}
			failures++
		case failures > 0:
			s.log.InfoContext(ctx, "logged in to vault again")
			failures = 0
		}

		if err == nil && news {
			s.watch(ctx, secret)
			continue
		}

		s.pause(ctx, failures)
	}

	return nil
}

// login gets a token and puts it in the place of the old one, in one step. news is
// false when it is the old one and no longer lives than it did.
func (s *Session) login(ctx context.Context) (secret *api.Secret, news bool, err error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	secret, err = s.method.Login(limited, s.client)
	if err == nil && (secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "") {
		err = errors.New("the answer to the login has no token")
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	if err != nil {
		s.err = fmt.Errorf("log in: %w", brief(err))
		return nil, false, s.err
	}

	ends := expiry(secret, time.Now())
	news = secret.Auth.ClientToken != s.token || ends.IsZero() || ends.After(s.ends.Add(time.Second))
	s.token, s.ends = secret.Auth.ClientToken, ends
	s.client.SetToken(s.token)

	return secret, news, nil
}

// brief is the status and the server's own words, of an error of the client that
// has many lines more.
func brief(err error) error {
	var answer *api.ResponseError
	if !errors.As(err, &answer) || answer.RawError {
		return err
	}
	return fmt.Errorf("status %d: %s", answer.StatusCode,
		strings.Join(strings.Fields(strings.Join(answer.Errors, "; ")), " "))
}

// watch renews the token, and returns when it is time to log in again: it reaches
// its end, it counts no longer, its file has changed, or ctx has ended.
func (s *Session) watch(ctx context.Context, secret *api.Secret) {
	renewed, done, stop := s.renew(secret)
	defer stop()
	ticks := time.NewTicker(fileInterval)
	defer ticks.Stop()
	file, _ := s.method.(interface{ changed(inUse string) bool })
	if file == nil {
		ticks.Stop()
	}

	var asked time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-done:
			if err != nil {
				s.log.WarnContext(ctx, "the vault token could not be renewed", slog.Any("error", brief(err)))
			}
			return
		case renewal := <-renewed:
			s.mu.Lock()
			// Here no time at all is not for ever.
			s.ends = renewal.RenewedAt.Add(time.Duration(renewal.Secret.Auth.LeaseDuration) * time.Second)
			s.mu.Unlock()
		case <-ticks.C:
			if file.changed(secret.Auth.ClientToken) {
				return
			}
		case <-s.doubt:
			// Where it is a policy that denies, every request makes one doubt.
			if time.Since(asked) < doubtInterval {
				continue
			}
			if !s.counts(ctx) {
				return
			}

			asked = time.Now()
		}
	}
}

// renew starts the client's own watcher of the token's life. A token that never
// ends needs none.
func (s *Session) renew(secret *api.Secret) (renewed <-chan *api.RenewOutput, done <-chan error, stop func()) {
	if secret.Auth.LeaseDuration == 0 {
		return nil, nil, func() {}
	}

	watcher, err := s.renewer.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: secret})
	if err != nil { // only without a secret
		panic(err)
	}

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watcher.Start()
	}()
	return watcher.RenewCh(), watcher.DoneCh(), func() {
		watcher.Stop()
		<-ended
	}
}

// counts asks the server whether it still knows the token. Where it cannot be
// asked, it may.
func (s *Session) counts(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := s.client.Auth().Token().LookupSelfWithContext(ctx)
	var answer *api.ResponseError
	return !errors.As(err, &answer) || answer.StatusCode != http.StatusForbidden
}

// pause waits longer after each failure, at random so that replicas come one by
// one.
func (s *Session) pause(ctx context.Context, failures int) {
	wait := min(lastRetry, firstRetry<<min(failures-1, 16))
	timer := time.NewTimer(wait/2 + rand.N(wait/2+1)) //nolint:gosec // only so that replicas come one by one
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
