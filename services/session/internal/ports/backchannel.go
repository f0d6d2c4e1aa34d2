package ports

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// LogoutNotice is a row of the outbox: one application is to hear that one
// session has ended (OpenID Connect Back-Channel Logout 1.0 2.5).
type LogoutNotice struct {
	ID        string
	ClientID  string
	UserID    string
	SessionID string
	CreatedAt time.Time // when the session ended
	Attempts  int       // those that were begun, this one included
}

// NoticeClaim says which notices a caller takes.
type NoticeClaim struct {
	Now            time.Time
	Until          time.Time // when they are due again
	Most           int
	PerApplication int      // most of one application
	Except         []string // applications of which none is taken
}

// Outbox holds the notices that are still to be delivered. They are written in
// the transaction that ends a session, so neither is there without the other.
type Outbox interface {
	// Claim takes notices that are due, and puts off each until a time: if the
	// caller dies, they are due again then. Of any number of callers one gets a
	// notice.
	Claim(ctx context.Context, c NoticeClaim) ([]LogoutNotice, error)
	// Remove deletes a notice that is done with; false when it was gone.
	Remove(ctx context.Context, id string) (bool, error)
	// Postpone says when to try again, and puts off all other notices of the same
	// application that are due now as long. Where another caller has claimed the
	// notice since, it does nothing.
	Postpone(ctx context.Context, n LogoutNotice, now, until time.Time) error
	// GiveUp keeps a notice as undelivered; false where somebody else has claimed it
	// since, or given it up.
	GiveUp(ctx context.Context, n LogoutNotice, at time.Time) (bool, error)
}

// OutboxState is what the outbox holds, for the operator.
type OutboxState struct {
	Waiting     int       // to be delivered
	Oldest      time.Time // when the session of the oldest of them ended; zero for none
	Undelivered int       // given up within the last week
}

// LogoutOutcome is what came of one attempt: the value of a metric's attribute.
type LogoutOutcome string

// Outcomes.
const (
	LogoutDelivered   LogoutOutcome = "delivered"   // the application has taken the token
	LogoutRejected    LogoutOutcome = "rejected"    // it answered, but with an error
	LogoutUnreachable LogoutOutcome = "unreachable" // it did not answer in time
	LogoutRefused     LogoutOutcome = "refused"     // our policy does not let us go there
	LogoutUnsigned    LogoutOutcome = "unsigned"    // no token could be made
	LogoutObsolete    LogoutOutcome = "obsolete"    // the application wants to hear no more
)

// LogoutOutcomes are all of them.
var LogoutOutcomes = []LogoutOutcome{
	LogoutDelivered, LogoutRejected, LogoutUnreachable, LogoutRefused, LogoutUnsigned, LogoutObsolete,
}

// LogoutSigner signs logout tokens.
type LogoutSigner interface {
	// Choose is the first of the algorithms that is in use: one that was configured
	// moments ago is not yet, until verifiers can know its key.
	Choose(algorithms ...signing.Algorithm) signing.Algorithm
	// Sign makes a compact JWS with the active key of an algorithm.
	Sign(ctx context.Context, alg signing.Algorithm, typ string, claims any) (string, error)
}

// LogoutSender takes a logout token to an application.
type LogoutSender interface {
	// Send posts the token to the application's URI and tells what came of it; the
	// error says why it was not LogoutDelivered.
	Send(ctx context.Context, uri, token string) (LogoutOutcome, error)
}

// LogoutObserver counts for the operator.
type LogoutObserver interface {
	// Attempted counts an attempt.
	Attempted(ctx context.Context, outcome LogoutOutcome)
}
