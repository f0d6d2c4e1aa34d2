package app

import (
	"context"
	"fmt"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// Tenant takes a choice of tenant. On the tenant page it settles the session's,
// once; on the account page (prompt=select_account) the session's own tenant
// means "go on as I am", and another of the person's tenants a new session, with
// a new cookie, that keeps how and when they signed in. Anything else changes
// nothing.
func (a *App) Tenant(ctx context.Context, v *Visit, tenantID string) (*NewCookie, error) {
	if !v.MayEnter(tenantID) {
		return nil, nil
	}
	switch v.Step {
	case domain.StepTenant:
		return nil, a.chooseTenant(ctx, v, tenantID)
	case domain.StepAccount:
		return a.chooseAccount(ctx, v, tenantID)
	default:
		return nil, nil
	}
}

func (a *App) chooseTenant(ctx context.Context, v *Visit, tenantID string) error {
	// Where another tab was first its choice stands.
	if _, err := a.Writer.ChooseTenant(ctx, v.Session.ID, tenantID); err != nil {
		return fmt.Errorf("choose the tenant: %w", err)
	}
	return nil
}

func (a *App) chooseAccount(ctx context.Context, v *Visit, tenantID string) (*NewCookie, error) {
	if tenantID == v.Session.TenantID {
		return nil, a.decide(ctx, v, grants.SignedIn)
	}
	old := v.Session
	v.Session = &sessions.Session{
		UserID: old.UserID, TenantID: tenantID, AuthTime: old.AuthTime, ACR: old.ACR, AMR: old.AMR, ExpiresAt: old.ExpiresAt,
	}
	fresh, err := a.newSession(ctx, v, v.Session)
	if err != nil {
		return nil, err
	}
	return fresh, a.decide(ctx, v, grants.SignedIn)
}

// Consent takes the answer of the consent page; where none is due it changes
// nothing.
func (a *App) Consent(ctx context.Context, v *Visit, allow bool) error {
	if v.Step != domain.StepConsent {
		return nil
	}
	if !allow {
		return a.decide(ctx, v, grants.Denied)
	}
	if domain.RemembersConsent(v.App, v.Request.RedirectURI) {
		if err := a.Writer.Remember(ctx, consentKey(v), v.Request.Scope, a.Now()); err != nil {
			return fmt.Errorf("remember the consent: %w", err)
		}
	}
	return a.decide(ctx, v, grants.Consented)
}
