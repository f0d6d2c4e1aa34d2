package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// maxAccounts is how many people can be signed in in one browser.
const maxAccounts = 5

// Email stores the typed address in the flow. It returns false if the address can't be
// valid.
func (a *App) Email(ctx context.Context, v *Visit, typed string) (bool, error) {
	if v.Step == domain.StepDone {
		return true, nil
	}

	email, ok := domain.ParseEmail(typed)
	if !ok {
		return false, nil
	}

	if err := a.settle(ctx, v, a.known(v.Browser, email)); err != nil {
		return false, err
	}

	err := a.Flows.SetLogin(ctx, v.Request.ID, email, a.Now())
	switch {
	case errors.Is(err, grants.ErrConsumed), errors.Is(err, grants.ErrExpired), errors.Is(err, grants.ErrDecided),
		errors.Is(err, grants.ErrNotFound):
		return true, nil // the next page explains it
	case err != nil:
		return false, fmt.Errorf("keep the address: %w", err)
	default:
		return true, nil
	}
}

// Password checks the password for the flow's address and signs the browser in under new
// cookies. A wrong password yields neither a cookie nor an error, so that the caller can't
// tell why it failed. If no password is due, it does nothing. It returns ErrRenewed if
// another tab was first, and *limits.Error if it is too soon to try again.
func (a *App) Password(ctx context.Context, v *Visit, typed string) (*NewCookie, error) {
	if v.Step != domain.StepPassword || len(typed) > domain.MaxPassword {
		return nil, nil
	}

	email := v.Request.LoginEmail
	if err := a.settle(ctx, v, a.known(v.Browser, email)); err != nil { // the address came from login_hint
		return nil, err
	}

	account, err := a.prove(ctx, email, typed, v.Browser)
	if err != nil || account == nil {
		return nil, err
	}

	a.upgrade(ctx, account, typed)
	now := a.Now()
	if err := a.Accounts.RecordLogin(ctx, account.User.ID, now); err != nil {
		return nil, fmt.Errorf("record the sign-in: %w", err)
	}

	tenants, err := a.tenants(ctx, &account.User, v.App, []string{oauth.AMRPassword})
	if err != nil {
		return nil, err
	}

	s := &sessions.Session{
		UserID:     account.User.ID,
		AuthTime:   now,
		ACR:        oauth.ACRPassword,
		AMR:        []string{oauth.AMRPassword},
		ExpiresAt:  now.Add(a.Lifetime),
		PersonEnds: account.AccessEnds,
	}
	if len(tenants) == 1 {
		s.TenantID = tenants[0].ID
	}

	fresh, err := a.signIn(ctx, v, s, tenants)
	if err != nil {
		return nil, err
	}

	fresh.Device, err = domain.RememberDevice(a.Random, a.DeviceSecret, v.Browser.Device, account.User.Email, now)
	if err != nil {
		return nil, err
	}

	if !fresh.again {
		a.record(ctx, v.Browser, audit.Event{
			Kind:      audit.SignedIn,
			UserID:    s.UserID,
			TenantID:  s.TenantID,
			SessionID: s.ID,
			ClientID:  v.Request.ClientID,
		})
	}

	return fresh, nil
}

// signIn makes s the browser's session. If the same person is already signed in in this
// browser, in a tenant that they may still enter, that session continues; only its cookies
// and how and when the person signed in change, so that a step-up doesn't end access that
// applications hold. In all other cases it creates a new session.
func (a *App) signIn(
	ctx context.Context, v *Visit, s *sessions.Session, tenants []directory.Tenant,
) (*NewCookie, error) {
	all, err := a.inBrowser(ctx, v)
	if err != nil {
		return nil, err
	}

	i := slices.IndexFunc(all, func(old *sessions.Session) bool { return domain.GoesOn(old, s.UserID, tenants, v.Now) })
	if i < 0 {
		return a.newSession(ctx, v, s, all)
	}

	s.ID, s.TenantID = all[i].ID, all[i].TenantID
	a.describe(s, v.Browser)
	ends := a.ending(all, v.Now, s.UserID)
	ends = slices.DeleteFunc(ends, func(old *sessions.Session) bool { return old.ID == s.ID })

	fresh, err := a.renew(ctx, v.Browser, v.Request.ID, s, ids(ends))
	if err == nil && !fresh.again {
		a.replaced(ctx, v, s, ends)
	}

	return fresh, err
}

// upgrade rehashes a password whose hash has a different cost than new ones. Best effort: a
// failure doesn't fail the sign-in.
func (a *App) upgrade(ctx context.Context, account *directory.Account, typed string) {
	if !a.Passwords.NeedsUpgrade(account.PasswordHash) {
		return
	}

	hash, err := a.Passwords.HashFrom(ctx, a.owner(account.User.Email), typed)
	if err == nil {
		_, err = a.Accounts.SetPasswordHash(ctx, account.User.ID, account.PasswordHash, hash, a.Now())
	}
	if err != nil {
		a.Logger.WarnContext(ctx, "can't upgrade a password hash", "user", account.User.ID, "error", err)
	}
}

// newSession inserts s with an id and a cookie of its own. all are the browser's sessions:
// those of the same person end, and other people stay signed in.
func (a *App) newSession(
	ctx context.Context, v *Visit, s *sessions.Session, all []*sessions.Session,
) (*NewCookie, error) {
	var err error
	if s.ID, err = oauth.NewID("ses_", a.Random); err != nil {
		return nil, err
	}

	s.CreatedAt = a.Now()
	s.LastSeenAt = s.CreatedAt
	a.describe(s, v.Browser)

	fresh, r, err := a.renewal(v.Browser, v.Request.ID, s)
	if err != nil {
		return nil, err
	}

	ends := a.ending(all, v.Now, s.UserID)
	r.Ends = ids(ends)

	done, err := a.Writer.Create(ctx, s, r)
	if err != nil {
		return nil, fmt.Errorf("write the session: %w", err)
	}

	a.Backchannel.Wake() // some sessions may have ended

	if done {
		a.created(ctx, v, s)
		a.replaced(ctx, v, s, ends)
	}

	return a.settled(ctx, done, fresh, r, s)
}

// describe sets the session's user agent and address to the browser's.
func (a *App) describe(s *sessions.Session, b Browser) {
	s.UserAgent, s.Address = b.UserAgent, ""
	if b.Address.IsValid() {
		s.Address = b.Address.String()
	}
}

// ending returns the browser's sessions that end when userID signs in. Usable sessions of
// other people stay, up to maxAccounts with the new one. Expects the last used first.
func (a *App) ending(all []*sessions.Session, now time.Time, userID string) []*sessions.Session {
	var ends []*sessions.Session
	keeps := 0
	for _, s := range all {
		if s.UserID == userID || !s.Usable(now, a.Idle) || keeps == maxAccounts-1 {
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

// inBrowser lists the browser's sessions: those of its accounts cookie, and the one of its
// session cookie, which may predate the accounts cookie.
func (a *App) inBrowser(ctx context.Context, v *Visit) ([]*sessions.Session, error) {
	all, err := a.Lists.OfBrowser(ctx, v.Browser.AccountsHash)
	if err != nil {
		return nil, fmt.Errorf("read the browser's sessions: %w", err)
	}
	if v.Prior != nil && !slices.ContainsFunc(all, func(s *sessions.Session) bool { return s.ID == v.Prior.ID }) {
		all = append([]*sessions.Session{v.Prior}, all...)
	}
	return all, nil
}
