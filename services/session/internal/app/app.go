package app

import (
	"errors"
	"net/netip"
)

// Errors of a flow that can't continue. Package httpapi has a page for each.
var (
	ErrFlowUnknown  = errors.New("session: no such flow")
	ErrFlowExpired  = errors.New("session: the flow has expired")
	ErrFlowFinished = errors.New("session: the flow has been used")
	ErrOtherBrowser = errors.New("session: the flow belongs to another browser")
	// ErrFlowOver means that the service that the flow returned to rejected it; the reason is
	// known there.
	ErrFlowOver = errors.New("session: the flow cannot be completed")
	// ErrSignedOut means that the account page was requested without being signed in.
	ErrSignedOut = errors.New("session: nobody is signed in")
)

// Browser describes the browser that a request came from: the hashes of its cookies, which
// are nil for a missing cookie, and where it is.
type Browser struct {
	Hash         []byte // SHA-256 of the browser cookie
	SessionHash  []byte // SHA-256 of the session cookie
	AccountsHash []byte // SHA-256 of the accounts cookie
	Device       string // the device cookie as it was sent
	UserAgent    string // printable and of bounded length
	Address      netip.Addr
	// Reference identifies the request, on its error page and in the audit trail.
	Reference string
	// Resent marks a form that may be sent twice. Such a form may still use a flow after the
	// form itself moved the flow on to the next browser cookie, provided that the person proves
	// their identity again.
	Resent bool
}
