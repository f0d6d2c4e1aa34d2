package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// Me holds the session and person of a request to the account page.
type Me struct {
	Session *sessions.Session
	User    *directory.User
	Tenants []directory.Tenant
	Browser Browser
	Now     time.Time
}

// Profile holds what the account page shows.
type Profile struct {
	*Me
	// Devices are the person's live sessions, starting with the one of this browser.
	Devices     []*sessions.Session
	Allowances  []ports.Allowance
	HasPassword bool
}

// TenantName returns the name of one of the person's tenants, or "" if the tenant isn't one
// of theirs.
func (m *Me) TenantName(id string) string {
	for i := range m.Tenants {
		if m.Tenants[i].ID == id {
			return m.Tenants[i].Name
		}
	}
	return ""
}

// Account serves the account page.
type Account struct {
	Browsers    *Browsers
	Prover      *Prover
	Journal     *Journal
	Sessions    *sessionstore.Store
	Access      ports.Access
	Backchannel *Backchannel // woken when access ends; if nil, the task finds out by polling
	Now         func() time.Time
}

// Me returns the person that the browser is signed in as. It returns ErrSignedOut if there
// is none.
func (a *Account) Me(ctx context.Context, b Browser) (*Me, error) {
	v := &Visit{Situation: domain.Situation{Now: a.Now()}, Browser: b}
	var err error
	if v.Prior, err = a.Browsers.session(ctx, b); err != nil {
		return nil, err
	}

	if v.Prior != nil {
		if err := a.Browsers.person(ctx, v); err != nil {
			return nil, err
		}
	}

	if v.Tenant() == nil {
		return nil, ErrSignedOut
	}

	return &Me{
		Session: v.Session,
		User:    v.User,
		Tenants: v.Tenants,
		Browser: b,
		Now:     v.Now,
	}, nil
}

// Profile reads what the account page shows.
func (a *Account) Profile(ctx context.Context, me *Me) (*Profile, error) {
	p := &Profile{Me: me}
	all, err := a.Sessions.OfUser(ctx, me.User.ID)
	if err != nil {
		return nil, fmt.Errorf("read the person's sessions: %w", err)
	}

	for _, s := range all {
		switch {
		case s.ID == me.Session.ID:
			p.Devices = slices.Insert(p.Devices, 0, s)
		case s.Authenticated(me.Now, a.Browsers.Idle):
			p.Devices = append(p.Devices, s)
		}
	}

	if p.Allowances, err = a.Access.Allowed(ctx, me.User.ID, me.Now); err != nil {
		return nil, fmt.Errorf("read what the person allows: %w", err)
	}

	p.HasPassword, err = a.Prover.hasPassword(ctx, me.User.Email)
	if err != nil {
		return nil, err
	}

	return p, nil
}

// EndDevice ends one of the person's other sessions. If the session isn't theirs, or is
// already over, it changes nothing.
func (a *Account) EndDevice(ctx context.Context, me *Me, sessionID string) error {
	all, err := a.Sessions.OfUser(ctx, me.User.ID)
	if err != nil {
		return fmt.Errorf("read the person's sessions: %w", err)
	}

	i := slices.IndexFunc(all, func(s *sessions.Session) bool { return s.ID == sessionID && s.ID != me.Session.ID })
	if i < 0 {
		return nil
	}

	if err := a.end(ctx, all[i]); err != nil {
		return err
	}

	a.endedFrom(ctx, me, all[i], "account_page")
	return nil
}

// end ends a session and its online grants, and notifies the applications.
func (a *Account) end(ctx context.Context, s *sessions.Session) error {
	if err := a.Access.End(ctx, s.ID, a.Now()); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	a.Backchannel.Wake()
	return nil
}

// endedFrom records in the audit trail that a person ended one of their sessions from another.
func (a *Account) endedFrom(ctx context.Context, me *Me, s *sessions.Session, why string) {
	a.Journal.record(ctx, me.Browser, audit.Event{
		Kind:      audit.SessionEnded,
		UserID:    me.User.ID,
		TenantID:  s.TenantID,
		SessionID: s.ID,
		Detail:    map[string]string{"by": audit.ByPerson, "why": why, "from": me.Session.ID},
	})
}

// Leave ends the browser's own session. Like Logout.End, it returns the cookies that
// replace the browser's.
func (a *Account) Leave(ctx context.Context, me *Me) (*NewCookie, error) {
	fresh, err := a.Browsers.leave(ctx, me.Session, me.Browser)
	if err != nil {
		return nil, err
	}

	a.Journal.record(ctx, me.Browser, audit.Event{
		Kind:      audit.SessionEnded,
		UserID:    me.User.ID,
		TenantID:  me.Session.TenantID,
		SessionID: me.Session.ID,
		Detail:    ended(audit.ByPerson, "account_page"),
	})

	return fresh, nil
}

// EndOthers ends all of the person's access except the browser's own session, as a change of
// the password may.
func (a *Account) EndOthers(ctx context.Context, me *Me) error {
	return a.endElsewhere(ctx, me, "account_page")
}

// Holders returns the names of the applications that have access to the person's account
// even while the person isn't signed in, and would lose it with EndOthers.
func (a *Account) Holders(ctx context.Context, me *Me) ([]string, error) {
	allowed, err := a.Access.Allowed(ctx, me.User.ID, me.Now)
	if err != nil {
		return nil, fmt.Errorf("read what the person allows: %w", err)
	}
	return (&Profile{Allowances: allowed}).Holders(), nil
}

// Holders returns the names of the applications that have access to the person's account even
// while the person isn't signed in. An application that no longer exists can't use its access.
func (p *Profile) Holders() []string {
	var names []string
	for _, one := range p.Allowances {
		if one.Offline && one.Application != "" && !slices.Contains(names, one.Application) {
			names = append(names, one.Application)
		}
	}
	return names
}

// endElsewhere ends all of the person's access except the browser's own session: other
// sessions, and what applications and devices hold. why goes to the audit trail.
func (a *Account) endElsewhere(ctx context.Context, me *Me, why string) error {
	all, err := a.Sessions.OfUser(ctx, me.User.ID)
	if err != nil {
		return fmt.Errorf("read the person's sessions: %w", err)
	}

	if err := a.Access.EndElsewhere(ctx, me.User.ID, me.Session.ID, a.Now()); err != nil {
		return fmt.Errorf("end the access elsewhere: %w", err)
	}

	a.Backchannel.Wake()

	for _, s := range all {
		if s.ID != me.Session.ID {
			a.endedFrom(ctx, me, s, why)
		}
	}

	return nil
}

// Withdraw withdraws what the person allowed an application in a tenant, and ends all
// access that resulted from it. The application is told of the logout if it wants to be.
func (a *Account) Withdraw(ctx context.Context, me *Me, clientID, tenantID string) error {
	if clientID == "" || tenantID == "" {
		return nil
	}

	n, err := a.Access.Withdraw(ctx, me.User.ID, clientID, tenantID, a.Now())
	if err != nil {
		return fmt.Errorf("withdraw the consent: %w", err)
	}

	a.Backchannel.Wake()

	if n > 0 {
		a.Journal.record(ctx, me.Browser, audit.Event{
			Kind:      audit.ConsentWithdrawn,
			UserID:    me.User.ID,
			ClientID:  clientID,
			TenantID:  tenantID,
			SessionID: me.Session.ID,
		})
	}

	return nil
}

// PasswordChange holds the fields of the form that changes the password.
type PasswordChange struct {
	Current, New, Repeated string
	EndOthers              bool // also end other sessions and the access of applications and devices
}

// ChangePassword replaces the person's password and gives the browser new cookies.
//
// A wrong current password counts as a failed guess, as at sign-in, so that a session that
// was left open can't be used for guessing. It returns *limits.Error when it is too soon to
// guess again.
func (a *Account) ChangePassword(
	ctx context.Context, me *Me, change PasswordChange,
) (domain.PasswordProblem, *NewCookie, error) {
	if problem := domain.CheckNewPassword(change.New, change.Repeated, me.User.Email); problem != domain.PasswordFine {
		return problem, nil, nil
	}

	if len(change.Current) > domain.MaxPassword {
		return domain.PasswordCurrent, nil, nil
	}

	account, err := a.Prover.prove(ctx, me.User.Email, change.Current, me.Browser)
	if err != nil {
		return domain.PasswordFine, nil, err
	}

	if account == nil || account.User.ID != me.User.ID {
		return domain.PasswordCurrent, nil, nil
	}

	changed, err := a.Prover.replace(ctx, account, change.New)
	if err != nil {
		return domain.PasswordFine, nil, err
	}

	if !changed {
		return domain.PasswordStale, nil, nil
	}

	a.Journal.record(ctx, me.Browser, audit.Event{
		Kind:      audit.PasswordChanged,
		UserID:    me.User.ID,
		SessionID: me.Session.ID,
	})

	if change.EndOthers {
		if err := a.endElsewhere(ctx, me, "password_changed"); err != nil {
			return domain.PasswordFine, nil, err
		}
	}

	fresh, err := a.Browsers.renew(ctx, me.Browser, "", me.Session, nil)
	return domain.PasswordFine, fresh, err
}
