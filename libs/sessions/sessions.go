package sessions

import (
	"errors"
	"time"
)

// ErrNotFound is answered for a cookie, session or consent that does not exist.
var ErrNotFound = errors.New("sessions: not found")

// Session is one browser's sign-in. It has one tenant; choosing another makes a
// new session with an id of its own.
type Session struct {
	ID         string // the sid of tokens; not a secret
	UserID     string
	TenantID   string // empty until the person has chosen one
	AuthTime   time.Time
	ACR        string
	AMR        []string
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time // absolute
	EndedAt    time.Time // zero: not ended

	// BrowserHash is the SHA-256 of the cookie that all sessions of one browser
	// share (cookie.Jar.Accounts); nil for none.
	BrowserHash []byte
	UserAgent   string // of the browser that signed in, as it said
	Address     string // it signed in from, or empty

	// PersonEnds is the count of libs/ending that the session's person was signed in
	// under. A session that is made from another one begins with it, so that it ends
	// with it.
	PersonEnds int64
}

// Usable reports whether the session still signs its browser in: not ended, not
// past its absolute end, not idle too long, and with a tenant chosen.
func (s *Session) Usable(now time.Time, idle time.Duration) bool {
	return s.TenantID != "" && s.Authenticated(now, idle)
}

// Authenticated is Usable without the tenant: the person has proven who they
// are but may still have to choose one.
func (s *Session) Authenticated(now time.Time, idle time.Duration) bool {
	return s.EndedAt.IsZero() && now.Before(s.ExpiresAt) && now.Before(s.LastSeenAt.Add(idle))
}

// Others counts the people besides userID (empty: besides nobody) who are signed
// in by the usable ones of a browser's sessions.
func Others(all []*Session, userID string, now time.Time, idle time.Duration) int {
	people := map[string]bool{}
	for _, s := range all {
		if s.UserID != userID && s.Usable(now, idle) {
			people[s.UserID] = true
		}
	}
	return len(people)
}

// ConsentKey is what a remembered consent belongs to.
type ConsentKey struct {
	UserID   string
	TenantID string
	ClientID string
	Resource string // empty for none
}
