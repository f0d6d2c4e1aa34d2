// Package ports defines the interfaces through which the authorization endpoint reaches what its
// tests replace. libs implements all of them. Everything else the use cases hold as it is; see
// services/README.md.
package ports

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Flows stores what waits for a person at the sign-in pages.
type Flows interface {
	// Seal returns a token that holds the flow, in place of a row. It is empty if the flow is
	// too long for a URL.
	Seal(ctx context.Context, flow *grants.Flow) (token string, err error)
	// InsertFlow stores a new flow.
	InsertFlow(ctx context.Context, flow *grants.Flow) error
	// Flow returns a flow by its id or token, including consumed and expired ones. It
	// returns grants.ErrNotFound if there is none.
	Flow(ctx context.Context, handle string) (*grants.Flow, error)
	// Consume ends a flow without a code, once. All other callers get grants.ErrConsumed,
	// grants.ErrExpired or grants.ErrNotFound.
	Consume(ctx context.Context, id string, now time.Time) error
}

// Codes stores authorization codes.
type Codes interface {
	// Issue stores a code that belongs to no stored request. It returns grants.ErrUnproven if
	// code.SessionProof is no longer the hash of a cookie of the session.
	Issue(ctx context.Context, code *grants.AuthorizationCode) error
	// IssueFromRequest consumes code.RequestID and stores the code in one step. The request
	// must have been approved by code.SessionID. When called concurrently, exactly one caller
	// succeeds; the others get grants.ErrConsumed, grants.ErrExpired or grants.ErrNotFound. It
	// returns grants.ErrUnproven as Issue does.
	IssueFromRequest(ctx context.Context, code *grants.AuthorizationCode, now time.Time) error
}

// Sessions reads single sign-on sessions and what their people have allowed.
type Sessions interface {
	// ByCookie returns a session, found by the SHA-256 of its cookie, including ended and
	// expired ones. It returns sessions.ErrNotFound if there is none.
	ByCookie(ctx context.Context, cookieHash []byte) (*sessions.Session, error)
	// OfBrowser lists the sessions of a browser, found by the SHA-256 of its accounts cookie.
	// Ended sessions are left out.
	OfBrowser(ctx context.Context, browserHash []byte) ([]*sessions.Session, error)
	// Consented returns the scopes that a person allowed before. It is empty if there are none.
	Consented(ctx context.Context, key sessions.ConsentKey) (oauth.Scopes, error)
	// Touch records that a session was used. It never moves last_seen_at back.
	Touch(ctx context.Context, id string, now time.Time) error
}
