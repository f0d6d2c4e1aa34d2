package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// Tenant takes a choice of tenant.
//
// On the tenant page it sets the session's tenant, once. On the account page
// (prompt=select_account), choosing the session's own tenant continues with the session as
// it is, and choosing another of the person's tenants creates a new session with a new
// cookie that keeps how and when the person signed in. Anything else changes nothing.
func (si *SignIn) Tenant(ctx context.Context, v *Visit, tenantID string) (*NewCookie, error) {
	if !v.MayEnter(tenantID) {
		return nil, nil
	}

	switch v.Step {
	case domain.StepTenant:
		return nil, si.chooseTenant(ctx, v, tenantID)
	case domain.StepAccount:
		return si.chooseAccount(ctx, v, tenantID)
	default:
		return nil, nil
	}
}

func (si *SignIn) chooseTenant(ctx context.Context, v *Visit, tenantID string) error {
	// If another tab was first, its choice stands.
	chosen, err := si.Choices.ChooseTenant(ctx, v.Session.ID, tenantID)
	if err != nil {
		return fmt.Errorf("choose the tenant: %w", err)
	}

	if chosen {
		event := about(audit.SessionSwitched, v, v.Session)
		event.TenantID = tenantID
		si.Journal.record(ctx, v.Browser, event)
	}

	return nil
}

func (si *SignIn) chooseAccount(ctx context.Context, v *Visit, tenantID string) (*NewCookie, error) {
	if tenantID == v.Session.TenantID {
		return nil, si.decide(ctx, v, grants.SignedIn)
	}

	if err := si.settle(ctx, v, nil); err != nil {
		return nil, err
	}

	old := v.Session
	s := &sessions.Session{
		UserID:     old.UserID,
		TenantID:   tenantID,
		AuthTime:   old.AuthTime,
		ACR:        old.ACR,
		AMR:        old.AMR,
		ExpiresAt:  old.ExpiresAt,
		PersonEnds: old.PersonEnds,
	}

	all, err := si.Browsers.inBrowser(ctx, v)
	if err != nil {
		return nil, err
	}

	fresh, err := si.newSession(ctx, v, s, all)
	if err != nil {
		return nil, err
	}

	event := about(audit.SessionSwitched, v, s)
	event.Detail = map[string]string{"from": old.ID}
	si.Journal.record(ctx, v.Browser, event)
	v.Session = s

	return fresh, si.decide(ctx, v, grants.SignedIn)
}

// Account takes the choice of another person who is signed in in this browser. Their
// session continues under new cookies, so that copies of the old ones become worthless. If
// their sign-in doesn't satisfy the flow, they are asked for their password.
func (si *SignIn) Account(ctx context.Context, v *Visit, sessionID string) (*NewCookie, error) {
	i := slices.IndexFunc(v.Others, func(o domain.Account) bool { return o.Session.ID == sessionID })
	if v.Step != domain.StepAccount || i < 0 {
		return nil, nil
	}

	chosen, before := v.Others[i], v.Prior
	if err := si.settle(ctx, v, si.Prover.account(chosen.User.Email)); err != nil {
		return nil, err
	}

	si.Browsers.describe(chosen.Session, v.Browser)
	fresh, err := si.Browsers.renew(ctx, v.Browser, v.Request.ID, chosen.Session, nil)
	if err != nil {
		return nil, err
	}

	si.picked(ctx, v, chosen.Session, before)

	v.Session, v.User, v.Tenants = chosen.Session, chosen.User, chosen.Tenants
	if !v.Accepted() {
		_, err = si.Email(ctx, v, chosen.User.Email)
		return fresh, err
	}

	return fresh, si.decide(ctx, v, grants.SignedIn)
}

// picked records in the audit trail that a browser switched back to an existing session.
func (si *SignIn) picked(ctx context.Context, v *Visit, s, before *sessions.Session) {
	event := audit.Event{
		Kind:      audit.SessionPicked,
		UserID:    s.UserID,
		TenantID:  s.TenantID,
		SessionID: s.ID,
		ClientID:  v.Request.ClientID,
	}
	if before != nil {
		event.Detail = map[string]string{"was": before.ID}
	}

	si.Journal.record(ctx, v.Browser, event)
}

// Consent takes the answer of the consent page. If no consent is due it changes nothing.
func (si *SignIn) Consent(ctx context.Context, v *Visit, allow bool) error {
	if v.Step != domain.StepConsent {
		return nil
	}

	event := audit.Event{
		Kind:      audit.ConsentDenied,
		UserID:    v.User.ID,
		ClientID:  v.Request.ClientID,
		TenantID:  v.Session.TenantID,
		SessionID: v.Session.ID,
		Detail:    map[string]string{"scope": v.Request.Scope.String()},
	}
	if v.Request.Resource != "" {
		event.Detail["resource"] = v.Request.Resource
	}

	decision := grants.Denied
	if allow {
		event.Kind, decision = audit.ConsentGiven, grants.Consented
		if domain.RemembersConsent(v.App, v.Request.RedirectURI()) {
			if err := si.Choices.Remember(ctx, consentKey(v), v.Request.Scope, si.Now()); err != nil {
				return fmt.Errorf("remember the consent: %w", err)
			}
		}
	}

	if err := si.decide(ctx, v, decision); err != nil {
		return err
	}

	si.Journal.record(ctx, v.Browser, event)
	return nil
}
