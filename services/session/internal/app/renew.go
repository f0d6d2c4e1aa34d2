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

// ErrRenewed means that another request renewed the browser's cookies first. Nothing was
// done, and the page that the form came from shows the step that is due now.
var ErrRenewed = errors.New("session: the browser's cookies were renewed meanwhile")

// NewCookie holds the cookies that a browser is given when its session changes. Empty
// fields leave their cookie as it is. All but Device change together, so that cookie values
// an attacker knew from before become worthless.
type NewCookie struct {
	Value    string // of the session cookie
	Accounts string // of the cookie that the browser's sessions share
	Browser  string // of the cookie that binds its flows and forms
	Device   string // of the cookie by which accounts know the browser again
	Lifetime time.Duration
	again    bool // the same form was sent twice; this repeats the first answer
}

// renewal creates the cookies that replace the browser's.
//
// Within a flow they aren't random but derived, with a key of our own, from the flow, its
// browser cookie and the person and tenant of the new session. A form that is sent twice
// then gets the same answer twice, and the browser is signed in whichever answer it keeps.
// A flow is bound to a cookie only once, so the inputs never repeat.
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

// successor returns the browser cookie that replaces b's when it signs in through flow.
func (a *App) successor(b Browser, flow string) string {
	return a.derived("browser", flow, string(b.Hash))
}

// derived returns a value of the same format as oauth.NewSecret.
func (a *App) derived(parts ...string) string {
	mac := hmac.New(sha256.New, a.CookieSecret)
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part))
		mac.Write(sum[:])
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// renew gives the browser new cookies for a session that continues. flow is the flow in
// which this happens, or empty. It returns ErrRenewed if another request was first.
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

// settled returns the result of a renewal. If another request carried it out first and that
// was the same form, sent twice, settled returns the same cookies again, provided that the
// resulting session is alive and the same person's. Otherwise it returns ErrRenewed.
func (a *App) settled(
	ctx context.Context, done bool, fresh *NewCookie, r ports.Renewal, s *sessions.Session,
) (*NewCookie, error) {
	if done {
		return fresh, nil
	}

	if r.Flow == "" {
		return nil, ErrRenewed
	}

	row, err := a.Flows.Flow(ctx, r.Flow)
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
