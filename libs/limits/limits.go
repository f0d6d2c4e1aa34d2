package limits

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// FirstDelay is how long the first block lasts where a rule says nothing else.
const FirstDelay = time.Second

// Rule is how many failures of a key are borne before it has to wait.
type Rule struct {
	// Failures is how many are free: the one that reaches it blocks the key.
	Failures int
	// Window is how long a failure is remembered: a key that has been neither
	// wrong nor blocked for so long starts anew.
	Window time.Duration
	// MinDelay is how long the first block lasts, which each further failure
	// doubles; [FirstDelay] when 0.
	MinDelay time.Duration
	// MaxDelay bounds the block; Window when 0.
	MaxDelay time.Duration
}

// First is how long the first block lasts.
func (r Rule) First() time.Duration {
	if r.MinDelay > 0 {
		return r.MinDelay
	}
	return FirstDelay
}

// Longest is the longest that one block may last; never less than the first.
func (r Rule) Longest() time.Duration {
	if r.MaxDelay > 0 {
		return max(r.MaxDelay, r.First())
	}
	return max(r.Window, r.First())
}

// Delay is how long the failure with this number blocks the key, the first being
// 1; zero while failures are free.
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

// Key names what failures are counted of, such as an address; see [NewKey].
type Key []byte

// NewKey makes a key of its parts with HMAC-SHA256, so that the table shows
// neither addresses nor e-mails, and nobody without the secret finds out by
// trying. The first part says what is counted ("sign_in", "address"); parts are
// told apart by their lengths.
func NewKey(secret []byte, parts ...string) Key {
	mac := hmac.New(sha256.New, secret)
	for _, part := range parts {
		mac.Write(binary.BigEndian.AppendUint32(nil,
			uint32(len(part)))) //nolint:gosec // what strangers send is far below 4 GiB
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}

// Address is the part of a key that an address counts as: an IPv4 address
// itself, also where it is written as IPv6, an IPv6 address its /64, which is the
// least that one customer has. Empty for no address.
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

// Error says that a key is blocked: the answer is 429 with Retry-After.
type Error struct {
	// Limit is which limit it was, one of the constants.
	Limit Limit
	// After is how long to wait.
	After time.Duration
}

// Limit names what is counted, for the operator: the value of a metric's attribute.
type Limit string

// Limits.
const (
	SignIn     Limit = "sign_in"     // wrong passwords
	Flow       Limit = "flow"        // started sign-ins
	UserCode   Limit = "user_code"   // wrong user codes (RFC 8628 5.1)
	ClientAuth Limit = "client_auth" // failed authentications of applications
)

// Refuse makes the error of a block, and nil where there is none: until is what a
// store answered, zero or past meaning not blocked.
func Refuse(limit Limit, until, now time.Time) error {
	if !until.After(now) {
		return nil
	}
	return &Error{Limit: limit, After: until.Sub(now)}
}

func (e *Error) Error() string {
	return fmt.Sprintf("too many failures: blocked for %s", e.After)
}

// LimitName is the limit's name.
func (e *Error) LimitName() string { return string(e.Limit) }

// RetryAfter is how long to wait before trying again.
func (e *Error) RetryAfter() time.Duration { return e.After }
