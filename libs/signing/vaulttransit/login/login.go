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
	timeout    = 5 * time.Second // per request
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second
	// fileInterval is how often a token file is checked.
	fileInterval = time.Second
	// doubtInterval is the shortest time between two checks of a token that turned out valid.
	doubtInterval = time.Second
)

var errNotYet = errors.New("not logged in yet")

// Session is a client's login, maintained by Run. The client has no token until Begin or Run
// has logged in. Err and Doubt are safe for concurrent use.
type Session struct {
	client  *api.Client
	renewer *api.Client // has a timeout, because renewing takes no context
	method  api.AuthMethod
	log     *slog.Logger
	doubt   chan struct{}
	begun   *api.Secret // from Begin, for Run

	mu    sync.Mutex
	token string    // in use
	ends  time.Time // of the token; zero: never
	err   error     // of the last attempt to log in
}

// New returns a session for a client, which must be logged in by nothing else. A nil logger
// discards everything.
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

// Err returns nil while the client has a token that has not expired, or else why logging in
// fails.
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

// Doubt makes the session check whether its token is still valid, after the server denied a
// request. It does not wait for the result.
func (s *Session) Doubt() {
	select {
	case s.doubt <- struct{}{}:
	default: // a check is already pending
	}
}

// Begin logs in once, so that whatever starts next finds a token. If it fails, Run reports that
// and tries again.
func (s *Session) Begin(ctx context.Context) {
	if secret, _, err := s.login(ctx); err == nil {
		s.begun = secret
	}
}

// Run logs in, renews the token, and logs in again before it expires, until ctx ends, which
// isn't an error. It retries for ever, and logs the first failure only.
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
			return nil //nolint:nilerr // the process is ending
		case err != nil:
			if failures == 0 {
				s.log.ErrorContext(ctx, "can't log in to vault; retrying", slog.Any("error", err))
			}
			failures++
		case !news:
			// The same token again, which is about to expire: there is no new one yet.
			if failures == 0 {
				s.log.WarnContext(ctx, "the vault token can no longer be renewed; replace it")
			}
			failures++
		case failures > 0:
			s.log.InfoContext(ctx, "recovered: logged in to vault")
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

// login gets a token and replaces the old one in one step. news is false if it is the old token
// and its lifetime has not grown.
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

// brief returns the status and the server's own words from a client error, which has many more
// lines.
func brief(err error) error {
	var answer *api.ResponseError
	if !errors.As(err, &answer) || answer.RawError {
		return err
	}
	return fmt.Errorf("status %d: %s", answer.StatusCode,
		strings.Join(strings.Fields(strings.Join(answer.Errors, "; ")), " "))
}

// watch renews the token, and returns when it is time to log in again: the token is about to
// expire or no longer valid, its file has changed, or ctx has ended.
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
				s.log.WarnContext(ctx, "can't renew the vault token", slog.Any("error", brief(err)))
			}
			return
		case renewal := <-renewed:
			s.mu.Lock()
			// Unlike elsewhere, a duration of zero doesn't mean for ever here.
			s.ends = renewal.RenewedAt.Add(time.Duration(renewal.Secret.Auth.LeaseDuration) * time.Second)
			s.mu.Unlock()
		case <-ticks.C:
			if file.changed(secret.Auth.ClientToken) {
				return
			}
		case <-s.doubt:
			// If a policy is what denies requests, every request raises a doubt.
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

// renew starts the client's own watcher of the token's lifetime. A token that never expires
// needs none.
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

// counts asks the server whether the token is still valid. If the server can't be asked, it
// assumes so.
func (s *Session) counts(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := s.client.Auth().Token().LookupSelfWithContext(ctx)
	var answer *api.ResponseError
	return !errors.As(err, &answer) || answer.StatusCode != http.StatusForbidden
}

// pause waits longer after each failure, with a random part so that replicas don't return all
// at once.
func (s *Session) pause(ctx context.Context, failures int) {
	wait := min(lastRetry, firstRetry<<min(failures-1, 16))
	timer := time.NewTimer(wait/2 + rand.N(wait/2+1)) //nolint:gosec // only spreads the replicas out
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
