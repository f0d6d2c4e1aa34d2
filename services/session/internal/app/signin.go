package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// SignIn leads flows through the sign-in pages. Its methods that take a Visit expect one that Open
// returned for the same request.
type SignIn struct {
	Browsers     *Browsers
	Prover       *Prover
	Journal      *Journal
	Flows        ports.Flows
	Entrances    *grantstore.ForSession // starts sign-ins that no application asked for
	Choices      ports.Choices
	Sessions     *sessionstore.Store
	People       *directorystore.People
	Applications *appcache.Cache
	Starts       *limits.Starts // counts the flows that are stored
	Issuer       string
	Now          func() time.Time
	Random       io.Reader
}

// Email stores the typed address in the flow. It returns false if the address can't be
// valid.
func (si *SignIn) Email(ctx context.Context, v *Visit, typed string) (bool, error) {
	if v.Step == domain.StepDone {
		return true, nil
	}

	email, ok := domain.ParseEmail(typed)
	if !ok {
		return false, nil
	}

	if err := si.settle(ctx, v, si.Prover.known(v.Browser, email)); err != nil {
		return false, err
	}

	err := si.Flows.SetLogin(ctx, v.Request.ID, email, si.Now())
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
func (si *SignIn) Password(ctx context.Context, v *Visit, typed string) (*NewCookie, error) {
	if v.Step != domain.StepPassword || len(typed) > domain.MaxPassword {
		return nil, nil
	}

	email := v.Request.LoginEmail
	if err := si.settle(ctx, v, si.Prover.known(v.Browser, email)); err != nil { // the address came from login_hint
		return nil, err
	}

	account, err := si.Prover.prove(ctx, email, typed, v.Browser)
	if err != nil || account == nil {
		return nil, err
	}

	now := si.Now()
	if err := si.Prover.accepted(ctx, account, typed, now); err != nil {
		return nil, err
	}

	tenants, err := si.Browsers.tenants(ctx, &account.User, v.App, []string{oauth.AMRPassword})
	if err != nil {
		return nil, err
	}

	s := &sessions.Session{
		UserID:     account.User.ID,
		AuthTime:   now,
		ACR:        oauth.ACRPassword,
		AMR:        []string{oauth.AMRPassword},
		ExpiresAt:  now.Add(si.Browsers.Lifetime),
		PersonEnds: account.AccessEnds,
	}
	if len(tenants) == 1 {
		s.TenantID = tenants[0].ID
	}

	fresh, err := si.signIn(ctx, v, s, tenants)
	if err != nil {
		return nil, err
	}

	if fresh.Device, err = si.Prover.remember(v.Browser, account.User.Email, now); err != nil {
		return nil, err
	}

	if !fresh.again {
		si.Journal.record(ctx, v.Browser, audit.Event{
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
func (si *SignIn) signIn(
	ctx context.Context, v *Visit, s *sessions.Session, tenants []directory.Tenant,
) (*NewCookie, error) {
	all, err := si.Browsers.inBrowser(ctx, v)
	if err != nil {
		return nil, err
	}

	i := slices.IndexFunc(all, func(old *sessions.Session) bool { return domain.GoesOn(old, s.UserID, tenants, v.Now) })
	if i < 0 {
		return si.newSession(ctx, v, s, all)
	}

	s.ID, s.TenantID = all[i].ID, all[i].TenantID
	si.Browsers.describe(s, v.Browser)
	ends := si.Browsers.ending(all, v.Now, s.UserID)
	ends = slices.DeleteFunc(ends, func(old *sessions.Session) bool { return old.ID == s.ID })

	fresh, err := si.Browsers.renew(ctx, v.Browser, v.Request.ID, s, ids(ends))
	if err == nil && !fresh.again {
		si.Journal.replaced(ctx, v, s, ends)
	}

	return fresh, err
}

// newSession inserts s with an id and a cookie of its own. all are the browser's sessions:
// those of the same person end, and other people stay signed in.
func (si *SignIn) newSession(
	ctx context.Context, v *Visit, s *sessions.Session, all []*sessions.Session,
) (*NewCookie, error) {
	var err error
	if s.ID, err = oauth.NewID("ses_", si.Random); err != nil {
		return nil, err
	}

	s.CreatedAt = si.Now()
	s.LastSeenAt = s.CreatedAt
	si.Browsers.describe(s, v.Browser)

	ends := si.Browsers.ending(all, v.Now, s.UserID)
	fresh, err := si.Browsers.create(ctx, v.Browser, v.Request.ID, s, ids(ends))
	if err == nil && !fresh.again {
		si.Journal.created(ctx, v, s)
		si.Journal.replaced(ctx, v, s, ends)
	}

	return fresh, err
}
