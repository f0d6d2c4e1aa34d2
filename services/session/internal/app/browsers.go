package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// touchEvery is how often a session's last use is written at most.
const touchEvery = time.Minute

// maxAccounts is how many people can be signed in in one browser.
const maxAccounts = 5

// Browsers keeps browsers signed in: it reads the session that a browser's cookies identify, and
// gives the browser new cookies when its session changes.
type Browsers struct {
	Sessions     *sessionstore.Store
	Renewals     ports.Renewals
	Flows        ports.Flows // tells a form that was sent twice from one of another tab
	People       *directorystore.People
	Backchannel  *Backchannel  // woken when a session ends; if nil, the task finds out by polling
	Idle         time.Duration // how long a session may be unused and still sign in
	Lifetime     time.Duration // a session's maximum lifetime
	CookieSecret []byte        // derives the cookies that replace a flow's
	Now          func() time.Time
	Random       io.Reader
}

// session returns the browser's session if there is one to end: it hasn't been ended and
// isn't past its absolute end. It may have been idle for too long to sign in.
func (bs *Browsers) session(ctx context.Context, b Browser) (*sessions.Session, error) {
	if len(b.SessionHash) == 0 {
		return nil, nil
	}

	s, err := bs.Sessions.ByCookie(ctx, b.SessionHash)
	switch {
	case errors.Is(err, sessions.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the session: %w", err)
	case !s.EndedAt.IsZero() || !bs.Now().Before(s.ExpiresAt):
		return nil, nil
	default:
		return s, nil
	}
}

// person fills in the person that the session belongs to, if the session is alive and the
// person is active.
func (bs *Browsers) person(ctx context.Context, v *Visit) error {
	if !v.Prior.Authenticated(v.Now, bs.Idle) {
		return nil
	}

	user, err := bs.People.User(ctx, v.Prior.UserID)
	if errors.Is(err, directory.ErrNotFound) || (err == nil && !user.Active) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the person: %w", err)
	}

	if v.Tenants, err = bs.tenants(ctx, user, v.App, v.Prior.AMR); err != nil {
		return err
	}

	v.Session, v.User = v.Prior, user
	if v.Now.Sub(v.Session.LastSeenAt) >= touchEvery {
		if err := bs.Sessions.Touch(ctx, v.Session.ID, v.Now); err != nil {
			return fmt.Errorf("touch the session: %w", err)
		}
	}

	return nil
}

// tenants returns the tenants that are open to a person who signed in with the methods amr,
// by the rule that all services share.
func (bs *Browsers) tenants(
	ctx context.Context, user *directory.User, app *directory.Application, amr []string,
) ([]directory.Tenant, error) {
	all, err := bs.People.Tenants(ctx, user.ID)
	if err != nil {
		return nil, fmt.Errorf("read the tenants: %w", err)
	}
	return directory.Enterable(user, all, app, amr), nil
}

// inBrowser lists the browser's sessions: those of its accounts cookie, and the one of its
// session cookie, which may predate the accounts cookie.
func (bs *Browsers) inBrowser(ctx context.Context, v *Visit) ([]*sessions.Session, error) {
	all, err := bs.Sessions.OfBrowser(ctx, v.Browser.AccountsHash)
	if err != nil {
		return nil, fmt.Errorf("read the browser's sessions: %w", err)
	}
	if v.Prior != nil && !slices.ContainsFunc(all, func(s *sessions.Session) bool { return s.ID == v.Prior.ID }) {
		all = append([]*sessions.Session{v.Prior}, all...)
	}
	return all, nil
}

// ending returns the browser's sessions that end when userID signs in. Usable sessions of
// other people stay, up to maxAccounts with the new one. Expects the last used first.
func (bs *Browsers) ending(all []*sessions.Session, now time.Time, userID string) []*sessions.Session {
	var ends []*sessions.Session
	keeps := 0
	for _, s := range all {
		if s.UserID == userID || !s.Usable(now, bs.Idle) || keeps == maxAccounts-1 {
			ends = append(ends, s)
		} else {
			keeps++
		}
	}

	return ends
}

func ids(all []*sessions.Session) []string {
	ids := make([]string, len(all))
	for i, s := range all {
		ids[i] = s.ID
	}
	return ids
}

// describe sets the session's user agent and address to the browser's.
func (bs *Browsers) describe(s *sessions.Session, b Browser) {
	s.UserAgent, s.Address = b.UserAgent, ""
	if b.Address.IsValid() {
		s.Address = b.Address.String()
	}
}
