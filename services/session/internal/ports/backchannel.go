package ports

import (
	"context"
	"time"
)

// LogoutNotice is a row of the outbox. It says that one application is to be told that one
// session has ended (OpenID Connect Back-Channel Logout 1.0 2.5).
type LogoutNotice struct {
	ID        string
	ClientID  string
	UserID    string
	SessionID string
	CreatedAt time.Time // when the session ended
	Attempts  int       // attempts begun so far, including this one
}

// NoticeClaim selects the notices that a caller takes.
type NoticeClaim struct {
	Now            time.Time
	Until          time.Time // when they are due again
	Most           int
	PerApplication int      // at most per application
	Except         []string // applications to leave out
}

// Outbox holds the notices that are still to be delivered. They are written in the
// transaction that ends a session, so that there is never one without the other.
type Outbox interface {
	// Claim takes notices that are due and postpones each until c.Until, so that they are due
	// again if the caller dies. When called concurrently, only one caller gets each notice.
	Claim(ctx context.Context, c NoticeClaim) ([]LogoutNotice, error)
	// Remove deletes a notice that is done with. It returns false if the notice was already
	// gone.
	Remove(ctx context.Context, id string) (bool, error)
	// Postpone sets when to try again, and postpones all other notices of the same application
	// that are due now by the same time. If another caller has claimed the notice since, it
	// does nothing.
	Postpone(ctx context.Context, n LogoutNotice, now, until time.Time) error
	// GiveUp keeps a notice as undelivered. It returns false if another caller has claimed it
	// since or given it up.
	GiveUp(ctx context.Context, n LogoutNotice, at time.Time) (bool, error)
}

// OutboxState summarizes the outbox for the operator.
type OutboxState struct {
	Waiting     int       // to be delivered
	Oldest      time.Time // end of the oldest waiting notice's session; zero if none waits
	Undelivered int       // given up within the last week
}

// LogoutOutcome is the result of one delivery attempt, and the value of a metric's
// attribute.
type LogoutOutcome string

// Outcomes.
const (
	LogoutDelivered   LogoutOutcome = "delivered"   // the application accepted the token
	LogoutRejected    LogoutOutcome = "rejected"    // it answered with an error
	LogoutUnreachable LogoutOutcome = "unreachable" // it did not answer in time
	LogoutRefused     LogoutOutcome = "refused"     // the outbound policy forbids the address
	LogoutUnsigned    LogoutOutcome = "unsigned"    // no token could be signed
	LogoutObsolete    LogoutOutcome = "obsolete"    // the application no longer wants notices
)

// LogoutOutcomes lists all outcomes.
var LogoutOutcomes = []LogoutOutcome{
	LogoutDelivered, LogoutRejected, LogoutUnreachable, LogoutRefused, LogoutUnsigned, LogoutObsolete,
}

// LogoutSender delivers logout tokens to applications.
type LogoutSender interface {
	// Send posts the token to the application's URI and returns the outcome. The error says why
	// it isn't LogoutDelivered.
	Send(ctx context.Context, uri, token string) (LogoutOutcome, error)
}

// LogoutObserver counts deliveries for the operator.
type LogoutObserver interface {
	// Attempted counts an attempt.
	Attempted(ctx context.Context, outcome LogoutOutcome)
}
