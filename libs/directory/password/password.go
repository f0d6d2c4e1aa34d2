package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/limits/fair"
)

// MaxLength is the longest password, in bytes, that is hashed.
const MaxLength = 1024

// ErrTooLong is returned for a password longer than MaxLength bytes.
var ErrTooLong = errors.New("password: longer than 1,024 bytes")

// ErrBusy is returned when every slot is taken and the caller already has its share of the
// queue. It is temporary: Unavailable reports true.
var ErrBusy error = busyError{}

type busyError struct{}

func (busyError) Error() string { return "password: too many hashes at once" }

// Unavailable makes the edge answer 503 with Retry-After.
func (busyError) Unavailable() bool { return true }

// Options configures a Hasher; zero values are good.
type Options struct {
	Params Params    // cost of new hashes; zero: 19 MiB, two passes, one thread
	Slots  int       // concurrent hashes; zero: one per processor
	Queue  int       // callers that may wait for a slot; zero: 32 per slot
	Random io.Reader // source of salts; nil: crypto/rand
}

// Hasher hashes and verifies passwords, a bounded number at a time. It is safe for concurrent
// use.
type Hasher struct {
	params Params
	random io.Reader
	queue  *fair.Queue
	hashes atomic.Int64
	spent  atomic.Uint64
}

// New returns a Hasher. It refuses parameters that Validate would refuse.
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
		queue:  fair.New(o.Slots, o.Queue),
	}
	if err := Validate(h.dummy(o.Params).String()); err != nil {
		return nil, err
	}

	return h, nil
}

// Hash is HashFrom for a caller without an address.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	return h.HashFrom(ctx, limits.Caller{}, password)
}

// HashFrom hashes the password in Unicode NFC (RFC 8265 4.2.1), in the caller's share of the
// slots, and returns the PHC string to store. It returns ErrTooLong, ErrBusy or the context's
// error.
func (h *Hasher) HashFrom(ctx context.Context, caller limits.Caller, password string) (string, error) {
	if len(password) > MaxLength {
		return "", ErrTooLong
	}

	p := parsed{Params: h.params, salt: make([]byte, saltLength)}
	if _, err := io.ReadFull(h.random, p.salt); err != nil {
		return "", fmt.Errorf("password: read randomness: %w", err)
	}

	leave, err := h.enter(ctx, caller)
	if err != nil {
		return "", err
	}

	defer leave()
	p.key = h.derive(p, norm.NFC.String(password), keyLength)

	return p.String(), nil
}

// Verify is VerifyFrom for a caller without an address.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (bool, error) {
	return h.VerifyFrom(ctx, limits.Caller{}, hash, password)
}

// VerifyFrom is VerifyAmong where no stored hash has another cost than new ones.
func (h *Hasher) VerifyFrom(ctx context.Context, caller limits.Caller, hash, password string) (bool, error) {
	return h.VerifyAmong(ctx, caller, nil, hash, password)
}

// VerifyAmong reports whether password hashes to hash, in constant time and in the caller's
// share of the slots. An empty hash stands for a person without a password, or for an unknown
// person, and never matches. stored are the costs of all stored hashes, read after the hash.
//
// The work is the same for every hash, even an empty one: one hash of each stored cost, in the
// same order, of which one is the hash in question. So the time taken says nothing about the
// account. It returns ErrTooLong, ErrFormat, ErrBusy or the context's error.
func (h *Hasher) VerifyAmong(
	ctx context.Context, caller limits.Caller, stored []Params, hash, password string,
) (bool, error) {
	if len(password) > MaxLength {
		return false, ErrTooLong
	}

	want := h.dummy(h.params)
	if hash != "" {
		var err error
		if want, err = parse(hash); err != nil {
			return false, err
		}
	}

	leave, err := h.enter(ctx, caller)
	if err != nil {
		return false, err
	}

	defer leave()

	right := false
	for _, cost := range h.every(stored, want.Params) {
		of := h.dummy(cost)
		if cost == want.Params {
			of = want
		}

		for _, form := range forms(password) {
			key := h.derive(of, form, len(of.key))
			if cost == want.Params && subtle.ConstantTimeCompare(key, of.key) == 1 {
				right = true
			}
		}
	}

	return right && hash != "", nil
}

// forms returns the forms in which a typed password may have been hashed: in Unicode NFC,
// because keyboards differ in the form they produce, and as typed, which is what earlier
// versions hashed. All forms are tried for every person, so that the work depends only on what
// was typed.
func forms(password string) []string {
	if normal := norm.NFC.String(password); normal != password {
		return []string{normal, password}
	}
	return []string{password}
}

// NeedsUpgrade reports whether a hash differs in cost from a new one. A costlier hash needs it
// too, since every check pays for it while it is stored.
func (h *Hasher) NeedsUpgrade(hash string) bool {
	p, err := parse(hash)
	if err != nil {
		return true
	}

	return p.Params != h.params || len(p.salt) < saltLength || len(p.key) < keyLength
}

// Work returns how many hashes have been computed so far, including dummies.
func (h *Hasher) Work() int64 { return h.hashes.Load() }

// Spent returns the cost of all hashes computed so far, in KiB times passes.
func (h *Hasher) Spent() uint64 { return h.spent.Load() }

// dummy returns a hash of the given cost that matches no password.
func (h *Hasher) dummy(cost Params) parsed {
	return parsed{Params: cost, salt: make([]byte, saltLength), key: make([]byte, keyLength)}
}

// Hold takes a slot, as a hash does, until leave is called. It lets a test see what happens
// while all of them are taken. It returns ErrBusy or the context's error.
func (h *Hasher) Hold(ctx context.Context, caller limits.Caller) (leave func(), err error) {
	return h.enter(ctx, caller)
}

// enter waits for a slot.
func (h *Hasher) enter(ctx context.Context, caller limits.Caller) (leave func(), err error) {
	ticket := h.queue.Enter(caller.Path())
	err = ticket.Wait(ctx)
	if err == nil {
		err = ctx.Err()
	}

	switch {
	case errors.Is(err, fair.ErrFull):
		ticket.Leave()
		return nil, ErrBusy
	case err != nil:
		ticket.Leave()
		return nil, fmt.Errorf("password: waiting for a slot: %w", err)
	}

	return ticket.Leave, nil
}

func (h *Hasher) derive(p parsed, password string, length int) []byte {
	h.hashes.Add(1)
	h.spent.Add(p.Cost())

	return argon2.IDKey([]byte(password), p.salt, p.Time, p.Memory, p.Threads,
		uint32(length)) //nolint:gosec // at most 64
}
