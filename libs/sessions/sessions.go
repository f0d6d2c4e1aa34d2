package sessions

import (
	"errors"
	"time"
)

// ErrNotFound is returned for a cookie, session or consent that does not exist.
var ErrNotFound = errors.New("sessions: not found")

// Session is one browser's sign-in. It has one tenant; choosing another creates a new session
// with its own id.
type Session struct {
	ID         string // the sid of tokens; not secret
	UserID     string
	TenantID   string // empty until the person chooses one
	AuthTime   time.Time
	ACR        string
	AMR        []string
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time // absolute
	EndedAt    time.Time // zero: not ended

	UserAgent string // as sent by the browser that signed in
	Address   string // of the browser that signed in, or empty

	// Proof is the SHA-256 of the cookie by which the session was found: its session cookie, or
	// the cookie that all sessions of one browser share (cookie.Jar.Accounts). A service that
	// issues a code for the session or approves a device must give it to the database. Nil if
	// the session wasn't found by a cookie.
	Proof []byte

	// PersonEnds is the libs/ending count under which the session's person signed in. A session
	// made from another one starts with it, so that both end together.
	PersonEnds int64
}

// Usable reports whether the session still signs its browser in: it hasn't ended, isn't past
// its absolute expiry, hasn't been idle too long, and has a tenant.
func (s *Session) Usable(now time.Time, idle time.Duration) bool {
	return s.TenantID != "" && s.Authenticated(now, idle)
}

// Authenticated is Usable without the tenant: the person has authenticated but may still have
// to choose one.
func (s *Session) Authenticated(now time.Time, idle time.Duration) bool {
	return s.EndedAt.IsZero() && now.Before(s.ExpiresAt) && now.Before(s.LastSeenAt.Add(idle))
}

// Others counts the people other than userID (which may be empty) who are signed in by the
// usable ones of a browser's sessions.
func Others(all []*Session, userID string, now time.Time, idle time.Duration) int {
	people := map[string]bool{}
	for _, s := range all {
		if s.UserID != userID && s.Usable(now, idle) {
			people[s.UserID] = true
		}
	}
	return len(people)
}

// ConsentKey identifies a remembered consent.
type ConsentKey struct {
	UserID   string
	TenantID string
	ClientID string
	Resource string // empty for none
}
