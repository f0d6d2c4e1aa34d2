package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// maxPassword is the longest password that is looked at, in bytes.
const maxPassword = 1024

// NewCookie is a session cookie to set.
type NewCookie struct {
	Value    string
	Lifetime time.Duration
}

// Email keeps the typed address in the flow; false when it cannot be one.
func (a *App) Email(ctx context.Context, v *Visit, typed string) (bool, error) {
	if v.Step == domain.StepDone {
		return true, nil
	}
	email, ok := domain.ParseEmail(typed)
	if !ok {
		return false, nil
	}
	err := a.Flows.SetLogin(ctx, v.Request.ID, email, a.Now())
	switch {
	case errors.Is(err, grants.ErrConsumed), errors.Is(err, grants.ErrExpired), errors.Is(err, grants.ErrDecided), errors.Is(err, grants.ErrNotFound):
		return true, nil // the page that follows says so
	case err != nil:
		return false, fmt.Errorf("keep the address: %w", err)
	default:
		return true, nil
	}
}

// Password checks the password of the flow's address and signs the browser in:
// a new session under a new cookie, never an old id. No cookie and no error means
// wrong, which is all that anybody learns: unknown, disabled and passwordless
// people cost the same statement and the same hash. It asks for nothing where no
// password is due.
func (a *App) Password(ctx context.Context, v *Visit, typed string) (*NewCookie, error) {
	if v.Step != domain.StepPassword || len(typed) > maxPassword {
		return nil, nil
	}
	account, err := a.prove(ctx, v.Request.LoginEmail, typed)
	if err != nil || account == nil {
		return nil, err
	}
	a.upgrade(ctx, account, typed)
	now := a.Now()
	if err := a.Accounts.RecordLogin(ctx, account.User.ID, now); err != nil {
		return nil, fmt.Errorf("record the sign-in: %w", err)
	}
	tenants, err := a.tenants(ctx, account.User.ID)
	if err != nil {
		return nil, err
	}
	s := &sessions.Session{
		UserID: account.User.ID, AuthTime: now, ACR: oauth.ACRPassword, AMR: []string{oauth.AMRPassword},
		ExpiresAt: now.Add(a.Lifetime),
	}
	if len(tenants) == 1 {
		s.TenantID = tenants[0].ID
	}
	return a.newSession(ctx, v, s)
}

// prove is the account behind a right password, or nil.
func (a *App) prove(ctx context.Context, email, typed string) (*directory.Account, error) {
	account, err := a.Accounts.Account(ctx, email)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return nil, fmt.Errorf("read the account: %w", err)
	}
	hash := ""
	if err == nil && account.User.Active {
		hash = account.PasswordHash
	}
	ok, err := a.Passwords.Verify(ctx, hash, typed)
	if err != nil {
		return nil, fmt.Errorf("verify the password: %w", err)
	}
	if !ok {
		return nil, nil
	}
	return account, nil
}

// upgrade hashes a password anew where the costs have risen. It is a kindness to
// the future: failing at it is no reason to refuse today's sign-in.
func (a *App) upgrade(ctx context.Context, account *directory.Account, typed string) {
	if !a.Passwords.NeedsUpgrade(account.PasswordHash) {
		return
	}
	hash, err := a.Passwords.Hash(ctx, typed)
	if err == nil {
		err = a.Accounts.SetPasswordHash(ctx, account.User.ID, account.PasswordHash, hash, a.Now())
	}
	if err != nil {
		a.Logger.WarnContext(ctx, "a password hash was not upgraded", "user", account.User.ID, "error", err)
	}
}

// newSession inserts s with an id and a cookie of its own and ends what was in
// the browser before.
func (a *App) newSession(ctx context.Context, v *Visit, s *sessions.Session) (*NewCookie, error) {
	value, err := oauth.NewSecret(a.Random)
	if err != nil {
		return nil, err
	}
	if s.ID, err = oauth.NewID("ses_", a.Random); err != nil {
		return nil, err
	}
	s.CreatedAt = a.Now()
	s.LastSeenAt = s.CreatedAt
	replaces := ""
	if v.Prior != nil {
		replaces = v.Prior.ID
	}
	if err := a.Writer.Create(ctx, s, oauth.HashSecret(value), replaces); err != nil {
		return nil, fmt.Errorf("write the session: %w", err)
	}
	return &NewCookie{Value: value, Lifetime: s.ExpiresAt.Sub(s.CreatedAt)}, nil
}
