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

// maxAccounts is how many people one browser keeps signed in.
const maxAccounts = 5

// Email keeps the typed address in the flow; false when it cannot be one.
func (a *App) Email(ctx context.Context, v *Visit, typed string) (bool, error) {
	if v.Step == domain.StepDone {
		return true, nil
	}

	email, ok := domain.ParseEmail(typed)
	if !ok {
		return false, nil
	}

	if err := a.settle(ctx, v); err != nil {
		return false, err
	}

	err := a.Flows.SetLogin(ctx, v.Request.ID, email, a.Now())
	switch {
	case errors.Is(err, grants.ErrConsumed), errors.Is(err, grants.ErrExpired), errors.Is(err, grants.ErrDecided),
		errors.Is(err, grants.ErrNotFound):
		return true, nil // the page that follows says so
	case err != nil:
		return false, fmt.Errorf("keep the address: %w", err)
	default:
		return true, nil
	}
}

// Password checks the password of the flow's address and signs the browser in,
// under new cookies. ErrRenewed when another tab was first. No cookie and no error means
// wrong, which is all that anybody learns. It asks for nothing where no password
// is due. *limits.Error when it is too soon to guess again.
func (a *App) Password(ctx context.Context, v *Visit, typed string) (*NewCookie, error) {
	if v.Step != domain.StepPassword || len(typed) > domain.MaxPassword {
		return nil, nil
	}

	if err := a.settle(ctx, v); err != nil { // the address came by login_hint
		return nil, err
	}

	account, err := a.prove(ctx, v.Request.LoginEmail, typed, v.Browser)
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

// signIn makes s the browser's session. Where the same person is signed in in this
// browser already, in a tenant that is still theirs, that session goes on as it is
// but for its cookies and how and when they signed in: a step-up ends nothing that
// applications hold. Everything else is a new session.
func (a *App) signIn(
	ctx context.Context, v *Visit, s *sessions.Session, tenants []directory.Tenant,
) (*NewCookie, error) {
	all, err := a.inBrowser(ctx, v)
	if err != nil {
		return nil, err
	}

	i := slices.IndexFunc(all, func(old *sessions.Session) bool { return domain.GoesOn(old, s.UserID, tenants, v.Now) })
	if i < 0 {
		return a.newSession(ctx, v, s)
	}

	s.ID, s.TenantID = all[i].ID, all[i].TenantID
	a.describe(s, v.Browser)
	ends, _ := a.beside(all, v.Now, s.UserID)
	ends = slices.DeleteFunc(ends, func(id string) bool { return id == s.ID })

	return a.renew(ctx, v.Browser, v.Request.ID, s, ends)
}

// upgrade hashes a password anew where its hash has another cost than new ones. It
// is a kindness to the future: failing at it is no reason to refuse today's
// sign-in.
func (a *App) upgrade(ctx context.Context, account *directory.Account, typed string) {
	if !a.Passwords.NeedsUpgrade(account.PasswordHash) {
		return
	}

	hash, err := a.Passwords.HashFrom(ctx, a.owner(account.User.Email), typed)
	if err == nil {
		_, err = a.Accounts.SetPasswordHash(ctx, account.User.ID, account.PasswordHash, hash, a.Now())
	}
	if err != nil {
		a.Logger.WarnContext(ctx, "a password hash was not upgraded", "user", account.User.ID, "error", err)
	}
}

// newSession inserts s with an id and a cookie of its own. What the same person
// had in the browser before it ends; others stay signed in beside it.
func (a *App) newSession(ctx context.Context, v *Visit, s *sessions.Session) (*NewCookie, error) {
	var err error
	if s.ID, err = oauth.NewID("ses_", a.Random); err != nil {
		return nil, err
	}

	s.CreatedAt = a.Now()
	s.LastSeenAt = s.CreatedAt
	a.describe(s, v.Browser)

	all, err := a.inBrowser(ctx, v)
	if err != nil {
		return nil, err
	}

	fresh, r, err := a.renewal(v.Browser, v.Request.ID, s)
	if err != nil {
		return nil, err
	}

	r.Ends, _ = a.beside(all, v.Now, s.UserID)

	done, err := a.Writer.Create(ctx, s, r)
	if err != nil {
		return nil, fmt.Errorf("write the session: %w", err)
	}

	a.Backchannel.Wake() // for those that it ended

	if done {
		a.created(ctx, v, s, r.Ends)
	}

	return a.settled(ctx, done, fresh, r, s)
}

// describe says where a session is.
func (a *App) describe(s *sessions.Session, b Browser) {
	s.UserAgent, s.Address = b.UserAgent, ""
	if b.Address.IsValid() {
		s.Address = b.Address.String()
	}
}

// beside tells which of the browser's sessions end when userID signs in, and
// which stay: those of others that still sign in, the last used first.
func (a *App) beside(all []*sessions.Session, now time.Time, userID string) (ends, keeps []string) {
	for _, s := range all {
		if s.UserID == userID || !s.Usable(now, a.Idle) || len(keeps) == maxAccounts-1 {
			ends = append(ends, s.ID)
		} else {
			keeps = append(keeps, s.ID)
		}
	}
	return ends, keeps
}

// inBrowser lists the browser's sessions: those of its accounts cookie and that
// of its session cookie, which may have been made before there was the other.
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
