package app

import (
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
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

// Settings configures an App.
type Settings struct {
	Issuer   string
	Idle     time.Duration // how long a session may be unused and still sign in
	Lifetime time.Duration // a session's maximum lifetime
	// Guesses is how many wrong passwords may be sent by a browser that the account knows, and
	// how many by all other browsers together. An address, which may be a whole office, may
	// send addressFactor times as many.
	Guesses limits.Rule
	// LimitSecret keys the identifiers under which failures are counted. DeviceSecret signs
	// device cookies.
	LimitSecret  []byte
	DeviceSecret []byte
	// PseudonymKey keys the pseudonyms of e-mail addresses in the audit trail.
	PseudonymKey []byte
	CookieSecret []byte // derives the cookies that replace a flow's
}

// App implements the use cases.
type App struct {
	Settings
	Flows        ports.Flows
	Entrances    ports.Entrances
	Sessions     ports.Sessions
	Lists        ports.SessionLists
	Writer       ports.SessionWriter
	Renewals     ports.Renewals
	Allowances   ports.Allowances
	Accounts     ports.Accounts
	People       ports.People
	Slugs        ports.Slugs
	Applications ports.Applications
	Passwords    ports.Passwords
	Hints        *signing.Hints
	Limits       ports.Limits
	Starts       ports.Starts
	Trail        ports.Trail
	Refusals     ports.Trail  // for events that an attacker can cause at will
	Backchannel  *Backchannel // woken when a session ends; if nil, the task finds out by polling
	Logger       *slog.Logger
	Now          func() time.Time
	Random       io.Reader
}

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
