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
func (bs *Browsers) renewal(b Browser, flow string, whose *sessions.Session) (*NewCookie, ports.Renewal, error) {
	fresh := &NewCookie{Lifetime: whose.ExpiresAt.Sub(bs.Now())}
	for kind, value := range map[string]*string{
		"browser":  &fresh.Browser,
		"session":  &fresh.Value,
		"accounts": &fresh.Accounts,
	} {
		switch {
		case flow == "":
			secret, err := oauth.NewSecret(bs.Random)
			if err != nil {
				return nil, ports.Renewal{}, err
			}
			*value = secret
		case kind == "browser":
			*value = bs.successor(b, flow)
		default:
			*value = bs.derived(kind, flow, string(b.Hash), whose.UserID, whose.TenantID)
		}
	}

	return fresh, ports.Renewal{
		Old:  ports.CookieHashes{Browser: b.Hash, Session: b.SessionHash, Accounts: b.AccountsHash},
		New:  fresh.hashes(),
		Flow: flow,
		At:   bs.Now(),
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
func (bs *Browsers) successor(b Browser, flow string) string {
	return bs.derived("browser", flow, string(b.Hash))
}

// derived returns a value of the same format as oauth.NewSecret.
func (bs *Browsers) derived(parts ...string) string {
	mac := hmac.New(sha256.New, bs.CookieSecret)
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part))
		mac.Write(sum[:])
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// create inserts a session and gives the browser its cookies, in a flow. It returns ErrRenewed if
// another request was first.
func (bs *Browsers) create(
	ctx context.Context, b Browser, flow string, s *sessions.Session, ends []string,
) (*NewCookie, error) {
	fresh, r, err := bs.renewal(b, flow, s)
	if err != nil {
		return nil, err
	}

	r.Ends = ends

	done, err := bs.Renewals.Create(ctx, s, r)
	if err != nil {
		return nil, fmt.Errorf("write the session: %w", err)
	}

	bs.Backchannel.Wake() // some sessions may have ended

	return bs.settled(ctx, done, fresh, r, s)
}

// renew gives the browser new cookies for a session that continues. flow is the flow in
// which this happens, or empty. It returns ErrRenewed if another request was first.
func (bs *Browsers) renew(
	ctx context.Context, b Browser, flow string, s *sessions.Session, ends []string,
) (*NewCookie, error) {
	fresh, r, err := bs.renewal(b, flow, s)
	if err != nil {
		return nil, err
	}

	r.Ends = ends

	done, err := bs.Renewals.Renew(ctx, s, r)
	if err != nil {
		return nil, fmt.Errorf("renew the session's cookies: %w", err)
	}

	if len(ends) > 0 {
		bs.Backchannel.Wake()
	}

	return bs.settled(ctx, done, fresh, r, s)
}

// settled returns the result of a renewal. If another request carried it out first and that
// was the same form, sent twice, settled returns the same cookies again, provided that the
// resulting session is alive and the same person's. Otherwise it returns ErrRenewed.
func (bs *Browsers) settled(
	ctx context.Context, done bool, fresh *NewCookie, r ports.Renewal, s *sessions.Session,
) (*NewCookie, error) {
	if done {
		return fresh, nil
	}

	if r.Flow == "" {
		return nil, ErrRenewed
	}

	row, err := bs.Flows.Flow(ctx, r.Flow)
	if err != nil {
		return nil, fmt.Errorf("read the flow: %w", err)
	}

	if !hmac.Equal(row.BrowserHash, r.New.Browser) {
		return nil, ErrRenewed
	}

	first, err := bs.Sessions.ByCookie(ctx, r.New.Session)
	switch {
	case errors.Is(err, sessions.ErrNotFound):
		return nil, ErrRenewed
	case err != nil:
		return nil, fmt.Errorf("read the session: %w", err)
	case first.UserID != s.UserID || !first.Authenticated(bs.Now(), bs.Idle):
		return nil, ErrRenewed
	}

	fresh.again = true
	return fresh, nil
}

// leave ends the browser's session and renews its other cookies, so that other people stay
// signed in and copies of the old cookies become worthless. It returns nil if the session
// had already ended.
func (bs *Browsers) leave(ctx context.Context, s *sessions.Session, b Browser) (*NewCookie, error) {
	fresh, r, err := bs.renewal(b, "", &sessions.Session{ExpiresAt: bs.Now().Add(bs.Lifetime)})
	if err != nil {
		return nil, err
	}

	left, err := bs.Renewals.Leave(ctx, s.ID, r)
	if err != nil {
		return nil, fmt.Errorf("end the session: %w", err)
	}

	bs.Backchannel.Wake()

	if !left {
		return nil, nil
	}

	fresh.Value = ""
	return fresh, nil
}
