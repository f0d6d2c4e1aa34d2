package limits

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// FirstDelay is how long the first block lasts if a rule doesn't say.
const FirstDelay = time.Second

// Rule says how many failures of a key are allowed before it has to wait.
type Rule struct {
	// Failures is the number of failures at which the key is blocked; fewer are free.
	Failures int
	// Window is how long failures are remembered. A key that has neither failed nor been
	// blocked for this long starts again from zero.
	Window time.Duration
	// MinDelay is how long the first block lasts; each further failure doubles it. [FirstDelay]
	// if 0.
	MinDelay time.Duration
	// MaxDelay bounds the block; Window if 0.
	MaxDelay time.Duration
}

// First returns how long the first block lasts.
func (r Rule) First() time.Duration {
	if r.MinDelay > 0 {
		return r.MinDelay
	}
	return FirstDelay
}

// Longest returns the longest that one block may last, which is never shorter than the first.
func (r Rule) Longest() time.Duration {
	if r.MaxDelay > 0 {
		return max(r.MaxDelay, r.First())
	}
	return max(r.Window, r.First())
}

// Delay returns how long the nth failure blocks the key, counting from 1; zero while failures
// are free.
func (r Rule) Delay(failures int) time.Duration {
	if failures < r.Failures {
		return 0
	}

	delay := r.First()
	for range failures - r.Failures {
		if delay >= r.Longest() {
			break
		}
		delay *= 2
	}

	return min(delay, r.Longest())
}

// Key identifies what failures are counted for, such as an address; see [NewKey].
type Key []byte

// NewKey returns the HMAC-SHA256 of the parts, so that the table reveals neither addresses nor
// e-mails, and an attacker without the secret can't find them by trying. The first part says
// what is counted ("sign_in", "address"). Each part's length is included, so that parts can't
// run together.
func NewKey(secret []byte, parts ...string) Key {
	mac := hmac.New(sha256.New, secret)
	for _, part := range parts {
		mac.Write(binary.BigEndian.AppendUint32(nil,
			uint32(len(part)))) //nolint:gosec // what strangers send is far below 4 GiB
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}

// Address returns an address as part of a key: an IPv4 address itself, even if written as IPv6,
// and for an IPv6 address its /64, the smallest network a customer has. It is empty for an
// invalid address.
func Address(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	switch {
	case !addr.IsValid():
		return ""
	case addr.Is4():
		return addr.String()
	}
	return netip.PrefixFrom(addr, 64).Masked().String()
}

// Error says that a key is blocked. The edge answers 429 with Retry-After.
type Error struct {
	// Limit says which limit was exceeded.
	Limit Limit
	// After is how long to wait.
	After time.Duration
}

// Limit names what is counted, for the operator. It is the value of a metric attribute.
type Limit string

// Limits.
const (
	SignIn     Limit = "sign_in"     // wrong passwords
	Flow       Limit = "flow"        // started sign-ins and device authorizations
	UserCode   Limit = "user_code"   // wrong user codes (RFC 8628 5.1)
	ClientAuth Limit = "client_auth" // failed client authentication
)

// Refuse returns the error for a block that lasts until the time returned by a store, or nil if
// that is zero or past.
func Refuse(limit Limit, until, now time.Time) error {
	if !until.After(now) {
		return nil
	}
	return &Error{Limit: limit, After: until.Sub(now)}
}

func (e *Error) Error() string {
	return fmt.Sprintf("too many failures: blocked for %s", e.After)
}

// LimitName returns the limit's name.
func (e *Error) LimitName() string { return string(e.Limit) }

// RetryAfter returns how long to wait before trying again.
func (e *Error) RetryAfter() time.Duration { return e.After }
