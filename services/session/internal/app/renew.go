package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// ErrRenewed says that another request renewed the browser's cookies first: nothing
// was done, and the page that the form came from shows what is due now.
var ErrRenewed = errors.New("session: the browser's cookies were renewed meanwhile")

// NewCookie is what a browser is given when its session changes; fields that are
// empty stay as they are. All but Device change together: what somebody knew of the
// browser before is worth nothing afterwards.
type NewCookie struct {
	Value    string // of the session cookie
	Accounts string // of the cookie that the browser's sessions share
	Browser  string // of the cookie that binds its flows and forms
	Device   string // of the cookie by which accounts know the browser again
	Lifetime time.Duration
	again    bool // the answer to the same form, sent twice
}

// renewal draws the cookies that follow the browser's. In a flow they are not drawn
// but derived, with a key of our own, from the flow, its browser cookie and whose
// session it becomes: a form that is sent twice then has the same answer twice, and
// the browser is signed in whichever of them it keeps. A flow is bound to a cookie
// once, so the inputs never repeat.
func (a *App) renewal(b Browser, flow string, whose *sessions.Session) (*NewCookie, ports.Renewal, error) {
	fresh := &NewCookie{Lifetime: whose.ExpiresAt.Sub(a.Now())}
	for kind, value := range map[string]*string{
		"browser":  &fresh.Browser,
		"session":  &fresh.Value,
		"accounts": &fresh.Accounts,
	} {
		switch {
		case flow == "":
			secret, err := oauth.NewSecret(a.Random)
			if err != nil {
				return nil, ports.Renewal{}, err
			}
			*value = secret
		case kind == "browser":
			*value = a.successor(b, flow)
		default:
			*value = a.derived(kind, flow, string(b.Hash), whose.UserID, whose.TenantID)
		}
	}

	return fresh, ports.Renewal{
		Old:  ports.CookieHashes{Browser: b.Hash, Session: b.SessionHash, Accounts: b.AccountsHash},
		New:  fresh.hashes(),
		Flow: flow,
		At:   a.Now(),
	}, nil
}

func (n *NewCookie) hashes() ports.CookieHashes {
	return ports.CookieHashes{
		Browser:  oauth.HashSecret(n.Browser),
		Session:  oauth.HashSecret(n.Value),
		Accounts: oauth.HashSecret(n.Accounts),
	}
}

// successor is the browser cookie that follows b's when a flow of it signs in.
func (a *App) successor(b Browser, flow string) string {
	return a.derived("browser", flow, string(b.Hash))
}

// derived is a value in the form of oauth.NewSecret.
func (a *App) derived(parts ...string) string {
	mac := hmac.New(sha256.New, a.CookieSecret)
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part))
		mac.Write(sum[:])
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// renew gives the browser of a session that goes on other cookies: of a flow, or
// outside of one where flow is empty. ErrRenewed.
func (a *App) renew(
	ctx context.Context, b Browser, flow string, s *sessions.Session, ends []string,
) (*NewCookie, error) {
	fresh, r, err := a.renewal(b, flow, s)
	if err != nil {
		return nil, err
	}

	r.Ends = ends

	done, err := a.Renewals.Renew(ctx, s, r)
	if err != nil {
		return nil, fmt.Errorf("renew the session's cookies: %w", err)
	}

	if len(ends) > 0 {
		a.Backchannel.Wake()
	}

	return a.settled(ctx, done, fresh, r, s)
}

// settled answers a renewal that another request was first with: where that was the
// same form, sent twice, its cookies are given once more. The session must be the
// one that came of it, alive and the same person's.
func (a *App) settled(
	ctx context.Context, done bool, fresh *NewCookie, r ports.Renewal, s *sessions.Session,
) (*NewCookie, error) {
	if done {
		return fresh, nil
	}

	if r.Flow == "" {
		return nil, ErrRenewed
	}

	row, err := a.Flows.Request(ctx, r.Flow)
	if err != nil {
		return nil, fmt.Errorf("read the flow: %w", err)
	}

	if !hmac.Equal(row.BrowserHash, r.New.Browser) {
		return nil, ErrRenewed
	}

	first, err := a.Sessions.ByCookie(ctx, r.New.Session)
	switch {
	case errors.Is(err, sessions.ErrNotFound):
		return nil, ErrRenewed
	case err != nil:
		return nil, fmt.Errorf("read the session: %w", err)
	case first.UserID != s.UserID || !first.Authenticated(a.Now(), a.Idle):
		return nil, ErrRenewed
	}

	fresh.again = true
	return fresh, nil
}
