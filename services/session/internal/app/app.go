package app

import (
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// Errors of a flow that cannot go on; httpapi has a page for each.
var (
	ErrFlowUnknown  = errors.New("session: no such flow")
	ErrFlowExpired  = errors.New("session: the flow has expired")
	ErrFlowFinished = errors.New("session: the flow has been used")
	ErrOtherBrowser = errors.New("session: the flow belongs to another browser")
	// ErrFlowOver is a flow that its end would not take, for a reason known there.
	ErrFlowOver = errors.New("session: the flow cannot be completed")
	// ErrSignedOut: the account page needs somebody who is signed in.
	ErrSignedOut = errors.New("session: nobody is signed in")
)

// Settings of the App.
type Settings struct {
	Issuer   string
	Idle     time.Duration // a session unused for so long no longer signs in
	Lifetime time.Duration // a session's absolute length
	// Guesses is how many wrong passwords a browser that the account knows may send,
	// and all strangers together. An address, which may be a whole office, has
	// addressFactor times as many.
	Guesses limits.Rule
	// LimitSecret keys what failures are counted of, DeviceSecret signs device
	// cookies.
	LimitSecret  []byte
	DeviceSecret []byte
	// PseudonymKey keys the names of addresses in the audit trail.
	PseudonymKey []byte
	CookieSecret []byte // derives the cookies that follow a flow's
}

// App holds the use cases.
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
	Hints        ports.Hints
	Limits       ports.Limits
	Starts       ports.Starts
	Trail        ports.Trail
	Refusals     ports.Trail  // for what a stranger can cause as often as they like
	Backchannel  *Backchannel // is woken when a session ends; nil: finds out by itself
	Logger       *slog.Logger
	Now          func() time.Time
	Random       io.Reader
}

// Browser is what a request tells of its browser: hashes of its cookies, nil
// without a cookie, and where it is.
type Browser struct {
	Hash         []byte // SHA-256 of the browser cookie
	SessionHash  []byte // SHA-256 of the session cookie
	AccountsHash []byte // SHA-256 of the accounts cookie
	Device       string // the device cookie as it was sent
	UserAgent    string // printable, of bounded length
	Address      netip.Addr
	// Reference is what an error page of this request shows and the trail keeps.
	Reference string
	// Resent is a form that may be sent twice: it may follow a flow that it moved on to
	// the next browser cookie itself, as far as the person is proven once more.
	Resent bool
}
