package vaulttransit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

var (
	_ signing.Backend = (*Engine)(nil)
	_ signing.Maker   = (*Engine)(nil)
)

const (
	// breakerFailures is how many consecutive requests the server must fail before the breaker
	// opens.
	breakerFailures = 3
	// breakerPause is how long the breaker stays open before it lets one request through to
	// check whether the server is back.
	breakerPause = time.Second
)

// Limits bound what a family of algorithms asks of the server at a time.
type Limits struct {
	Batch int // signatures per request
	Slots int // requests in flight
}

// Default limits. The server works off a batch on one core, so in a large RSA batch every
// caller waits for the last signature (about 1 ms each), while an ECDSA signature costs less
// than the request (about 50 µs each); see BenchmarkSign.
var (
	DefaultRSA = Limits{Batch: 4, Slots: 4}
	DefaultEC  = Limits{Batch: 64, Slots: 2}
)

// Defaults of Options.
const (
	DefaultQueue   = 1024
	DefaultTimeout = 3 * time.Second
)

// Session keeps the client logged in; package login provides one.
type Session interface {
	// Err returns nil while the client has a token that may be valid.
	Err() error
	// Doubt is called when the server denied a request. It does not wait.
	Doubt()
}

// Options configures an Engine. Client is required; zero values of the other fields stand for
// the defaults, with the mount "transit" and the prefix "platform".
type Options struct {
	Client  *api.Client // see NewClient
	Session Session     // nil: the client's token is managed elsewhere
	Mount   string      // mount of the transit engine
	Prefix  string      // prefix of the transit keys' names
	RSA     Limits      // RS256 and PS256 together
	EC      Limits      // ES256 and EdDSA together
	// Queue is how many signatures of a family may wait for a slot.
	Queue          int
	Timeout        time.Duration // per request
	Now            func() time.Time
	Logger         *slog.Logger
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
}

// Engine signs and creates keys with a transit engine. It is safe for concurrent use.
type Engine struct {
	client  *api.Client
	session Session
	mount   string
	prefix  string
	timeout time.Duration
	now     func() time.Time
	log     *slog.Logger
	seen    *telemetry
	breaker *gobreaker.CircuitBreaker[struct{}]
	health  health
	checked sync.Map // version → when one of its signatures was last verified

	rsa, ec *queue
	stop    context.CancelCauseFunc
}

// New returns an engine. It sends nothing until it is used.
func New(o Options) (*Engine, error) {
	if o.Client == nil {
		return nil, errors.New("vault transit: no client given")
	}

	o.complete()
	e := &Engine{
		client:  o.Client,
		session: o.Session,
		mount:   o.Mount,
		prefix:  o.Prefix,
		timeout: o.Timeout,
		now:     o.Now,
		log:     o.Logger,
	}
	if !refForm.MatchString(version{name: e.keyName(signing.ES256), number: 1}.ref()) {
		return nil, fmt.Errorf("vault transit: %q cannot begin the name of a transit key", o.Prefix)
	}

	for name, n := range map[string]int{
		"RSA batch": o.RSA.Batch,
		"RSA slots": o.RSA.Slots,
		"EC batch":  o.EC.Batch,
		"EC slots":  o.EC.Slots,
		"queue":     o.Queue,
	} {
		if n < 1 {
			return nil, fmt.Errorf("vault transit: %s is %d; the least is 1", name, n)
		}
	}

	e.breaker = e.newBreaker()
	base, stop := context.WithCancelCause(context.Background())
	e.stop = stop
	send := func(v version, batch []*item) { e.send(base, v, batch) }
	e.rsa, e.ec = newQueue(o.RSA, o.Queue, send), newQueue(o.EC, o.Queue, send)
	var err error
	if e.seen, err = newTelemetry(o.TracerProvider, o.MeterProvider, e); err != nil {
		stop(err)
		return nil, err
	}

	return e, nil
}

func (o *Options) complete() {
	if o.Mount == "" {
		o.Mount = "transit"
	}

	if o.Prefix == "" {
		o.Prefix = "platform"
	}

	if o.RSA == (Limits{}) {
		o.RSA = DefaultRSA
	}

	if o.EC == (Limits{}) {
		o.EC = DefaultEC
	}

	if o.Queue == 0 {
		o.Queue = DefaultQueue
	}

	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}

	if o.Now == nil {
		o.Now = time.Now
	}

	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}

	if o.TracerProvider == nil {
		o.TracerProvider = tracenoop.NewTracerProvider()
	}

	if o.MeterProvider == nil {
		o.MeterProvider = metricnoop.NewMeterProvider()
	}
}

func (e *Engine) newBreaker() *gobreaker.CircuitBreaker[struct{}] {
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  1,
		Timeout:      breakerPause,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		IsSuccessful: func(err error) bool { return !serverAway(err) },
		// A canceled caller says nothing about the server.
		IsExcluded: func(err error) bool { return err != nil && !errors.As(err, new(*Error)) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case to == gobreaker.StateOpen && from == gobreaker.StateClosed:
				e.log.Error("vault is failing; refusing signatures until it recovers",
					slog.Any("error", e.health.lastAway()))
			case to == gobreaker.StateClosed:
				e.log.Info("vault recovered")
			}
		},
	})
}

// Close refuses new requests, cancels those in progress and waits for them to end.
func (e *Engine) Close() error {
	e.stop(&Error{Reason: Closed})
	e.rsa.close()
	e.ec.close()
	return e.seen.close()
}

// Sign signs with exactly the version that key.Ref names. The error is an *Error or that of
// ctx; if ctx ends, the item is withdrawn from the queue.
func (e *Engine) Sign(ctx context.Context, key signing.Key, input []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	v, err := parseRef(key)
	if err != nil {
		return nil, err
	}

	if err := e.refusal(); err != nil {
		e.seen.refused(ctx, v.alg, err)
		return nil, err
	}

	i := &item{
		input:  toSign(v.alg, input),
		public: key.PublicKey,
		caller: trace.SpanContextFromContext(ctx),
		since:  e.now(),
		done:   make(chan struct{}),
	}

	q := e.queueOf(v.alg)
	place, err := q.enter(v, i)
	switch {
	case err != nil:
		e.seen.refused(ctx, v.alg, err)
		return nil, err
	case place != nil:
		return q.wait(ctx, v, i, place)
	}

	// This caller has the slot and makes the request itself, which costs no goroutine and ends
	// with the caller. The slot then goes to items that arrived meanwhile.
	defer q.leave()
	e.send(ctx, v, []*item{i})
	return i.signature, i.err
}

// refusal returns why nothing can be signed now.
func (e *Engine) refusal() error {
	if err := e.loggedOut(); err != nil {
		return err
	}
	if e.breaker.State() == gobreaker.StateOpen {
		return &Error{Reason: BreakerOpen, cause: e.health.lastAway()}
	}
	return nil
}

func (e *Engine) loggedOut() error {
	if e.session == nil {
		return nil
	}
	if err := e.session.Err(); err != nil {
		return &Error{Reason: LoggedOut, cause: err}
	}
	return nil
}

func (e *Engine) queueOf(alg signing.Algorithm) *queue {
	if alg == signing.RS256 || alg == signing.PS256 {
		return e.rsa
	}
	return e.ec
}

// toSign returns what is sent to Vault: the SHA-256 of the input, since tokens are long and
// Vault needn't know them. Ed25519 hashes in its own way (RFC 8032 5.1.6).
func toSign(alg signing.Algorithm, input []byte) []byte {
	if alg == signing.EdDSA {
		return input
	}
	digest := sha256.Sum256(input)
	return digest[:]
}
