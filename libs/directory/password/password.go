package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// MaxLength is the longest password, in bytes, that is hashed.
const MaxLength = 1024

// ErrTooLong is answered for a password of more than MaxLength bytes.
var ErrTooLong = errors.New("password: longer than 1,024 bytes")

// ErrBusy is answered when every slot is taken and the queue is full, or half of
// both by the caller's client alone. It is a passing condition: Unavailable tells
// so.
var ErrBusy error = busyError{}

type busyError struct{}

func (busyError) Error() string { return "password: too many hashes at once" }

// Unavailable makes the edge answer 503 with Retry-After.
func (busyError) Unavailable() bool { return true }

// Options of a Hasher; zero values are good.
type Options struct {
	Params Params    // of new hashes; zero: 19 MiB, two passes, one thread
	Slots  int       // hashes at once; zero: one a processor
	Queue  int       // callers that may wait for a slot; zero: 32 a slot
	Random io.Reader // of salts; nil: crypto/rand
}

// Hasher hashes and verifies, a bounded number at a time. It is safe for
// concurrent use.
type Hasher struct {
	params Params
	random io.Reader
	slots  chan struct{}
	queue  int // slots included
	work   atomic.Int64

	mu     sync.Mutex
	inside int            // in slots and queue
	share  map[string]int // of them by client
	dummy  parsed
}

// New makes a Hasher. It refuses parameters that Validate would refuse.
func New(o Options) (*Hasher, error) {
	if o.Params == (Params{}) {
		o.Params = defaultParams
	}
	if o.Slots <= 0 {
		o.Slots = runtime.GOMAXPROCS(0)
	}
	if o.Queue <= 0 {
		o.Queue = 32 * o.Slots
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	h := &Hasher{
		params: o.Params,
		random: o.Random,
		slots:  make(chan struct{}, o.Slots),
		queue:  o.Slots + o.Queue,
		share:  map[string]int{},
		// What it compares with does not matter: Verify never says yes to it.
		dummy: parsed{Params: o.Params, salt: make([]byte, saltLength), key: make([]byte, keyLength)},
	}
	if err := Validate(h.dummy.String()); err != nil {
		return nil, err
	}
	return h, nil
}

// Hash is HashFrom for nobody's client, which has no share.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	return h.HashFrom(ctx, "", password)
}

// HashFrom makes the PHC string to store, of the password in Unicode's form NFC
// (RFC 8265 4.2.1). A client (its address, say; empty for
// none) never has more than half of slots and queue, so that it does not keep
// everybody else out. ErrTooLong, ErrBusy, the context's error.
func (h *Hasher) HashFrom(ctx context.Context, client, password string) (string, error) {
	if len(password) > MaxLength {
		return "", ErrTooLong
	}
	p := parsed{Params: h.params, salt: make([]byte, saltLength)}
	if _, err := io.ReadFull(h.random, p.salt); err != nil {
		return "", fmt.Errorf("password: read randomness: %w", err)
	}
	var err error
	if p.key, err = h.derive(ctx, client, p, norm.NFC.String(password), keyLength); err != nil {
		return "", err
	}
	return p.String(), nil
}

// Verify is VerifyFrom for nobody's client, which has no share.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (bool, error) {
	return h.VerifyFrom(ctx, "", hash, password)
}

// VerifyFrom tells whether password hashes to hash, in constant time, within the
// share of a client as HashFrom has it. An empty hash
// stands for somebody without a password, or for nobody: it costs the same work
// in the same slots and is never right, so that a stranger learns nothing from
// how long the answer takes. ErrTooLong, ErrFormat, ErrBusy, the context's error.
func (h *Hasher) VerifyFrom(ctx context.Context, client, hash, password string) (bool, error) {
	if len(password) > MaxLength {
		return false, ErrTooLong
	}
	want := h.dummy
	if hash != "" {
		var err error
		if want, err = parse(hash); err != nil {
			return false, err
		}
	}
	right := 0
	for _, form := range forms(password) {
		key, err := h.derive(ctx, client, want, form, len(want.key))
		if err != nil {
			return false, err
		}
		right |= subtle.ConstantTimeCompare(key, want.key)
	}
	return right == 1 && hash != "", nil
}

// forms are what a typed password may have been hashed as: in Unicode's form NFC,
// which keyboards do not agree on, and as it was typed, which is what earlier
// versions hashed. All are tried for everybody, so that the work depends on what was
// typed alone.
func forms(password string) []string {
	if normal := norm.NFC.String(password); normal != password {
		return []string{normal, password}
	}
	return []string{password}
}

// NeedsUpgrade tells whether a hash is cheaper to guess than a new one would be.
// A dearer one stays as it is.
func (h *Hasher) NeedsUpgrade(hash string) bool {
	p, err := parse(hash)
	if err != nil {
		return true
	}
	cost := func(p Params) uint64 { return uint64(p.Memory) * uint64(p.Time) }
	return cost(p.Params) < cost(h.params) || len(p.salt) < saltLength || len(p.key) < keyLength
}

// Work counts the hashes computed so far, dummies included.
func (h *Hasher) Work() int64 { return h.work.Load() }

func (h *Hasher) derive(ctx context.Context, client string, p parsed, password string, length int) ([]byte, error) {
	if !h.enter(client) {
		return nil, ErrBusy
	}
	defer h.leave(client)
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("password: waiting for a slot: %w", ctx.Err())
	}
	defer func() { <-h.slots }()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	h.work.Add(1)
	return argon2.IDKey([]byte(password), p.salt, p.Time, p.Memory, p.Threads, uint32(length)), nil //nolint:gosec // at most 64
}

func (h *Hasher) enter(client string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inside == h.queue || client != "" && h.share[client] >= h.queue/2 {
		return false
	}
	h.inside++
	h.share[client]++
	return true
}

func (h *Hasher) leave(client string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inside--
	if h.share[client]--; h.share[client] == 0 {
		delete(h.share, client)
	}
}
