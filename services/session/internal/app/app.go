package app

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// Errors of a flow that cannot go on; httpapi has a page for each.
var (
	ErrFlowUnknown  = errors.New("session: no such flow")
	ErrFlowExpired  = errors.New("session: the flow has expired")
	ErrFlowFinished = errors.New("session: the flow has been used")
	ErrOtherBrowser = errors.New("session: the flow belongs to another browser")
)

// Settings of the App.
type Settings struct {
	Issuer   string
	Idle     time.Duration // a session unused for so long no longer signs in
	Lifetime time.Duration // a session's absolute length
}

// App holds the use cases.
type App struct {
	Settings
	Flows        ports.Flows
	Sessions     ports.Sessions
	Writer       ports.SessionWriter
	Expiry       ports.Expiry
	Accounts     ports.Accounts
	People       ports.People
	Applications ports.Applications
	Passwords    ports.Passwords
	Hints        ports.Hints
	Logger       *slog.Logger
	Now          func() time.Time
	Random       io.Reader
}

// Browser is what a request's cookies come to: hashes, nil without a cookie.
type Browser struct {
	Hash        []byte // SHA-256 of the browser cookie
	SessionHash []byte // SHA-256 of the session cookie
}
