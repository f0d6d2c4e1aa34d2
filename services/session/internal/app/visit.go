package app

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// Visit is the state of a flow as seen by one request.
type Visit struct {
	domain.Situation
	Step    domain.Step
	Browser Browser
	// Prior is the browser's session whether or not it counts in this flow. A new session
	// replaces it. Nil if there is no session to end.
	Prior *sessions.Session
	// behind is set if the flow has moved on to the next browser cookie (see Browser.Resent).
	behind bool
}

// Open reads a flow for the browser that it belongs to and determines the step that is due.
// It also takes the two steps that need no person: choosing the only tenant, and recording
// that there is nothing left to ask.
func (si *SignIn) Open(ctx context.Context, flowID string, b Browser) (*Visit, error) {
	v, err := si.look(ctx, flowID, b)
	if err != nil {
		return nil, err
	}

	if v.behind {
		return v, nil
	}

	if only := v.OnlyTenant(); v.Step == domain.StepTenant && only != "" {
		if err := si.chooseTenant(ctx, v, only); err != nil {
			return nil, err
		}
		if v, err = si.look(ctx, flowID, b); err != nil {
			return nil, err
		}
	}

	if v.Step == domain.StepDone {
		return v, si.finish(ctx, v)
	}

	return v, nil
}

func (si *SignIn) look(ctx context.Context, flowID string, b Browser) (*Visit, error) {
	request, err := si.flow(ctx, flowID, b)
	if err != nil {
		return nil, err
	}

	v := &Visit{
		Situation: domain.Situation{Request: request, Now: si.Now()},
		Browser:   b,
		behind:    !bytes.Equal(request.BrowserHash, b.Hash),
	}
	if request.Kind == grants.KindAuthorize || request.ClientID != "" {
		if v.App, err = si.application(ctx, request.ClientID); err != nil {
			return nil, err
		}
	}

	if v.Prior, err = si.Browsers.session(ctx, b); err != nil {
		return nil, err
	}

	if v.Prior != nil {
		if err := si.Browsers.person(ctx, v); err != nil {
			return nil, err
		}
	}

	if !v.Accepted() {
		if v.Home, err = si.home(ctx, request); err != nil {
			return nil, err
		}
	}

	if err := si.others(ctx, v); err != nil {
		return nil, err
	}

	if err := si.remembered(ctx, v); err != nil {
		return nil, err
	}

	v.Step = v.Next()
	return v, si.hinted(ctx, v)
}

func (si *SignIn) flow(ctx context.Context, id string, b Browser) (*grants.Flow, error) {
	request, err := si.Flows.Flow(ctx, id)
	if err == nil && request.Sealed != "" && len(b.Hash) > 0 {
		si.adopt(request, b)
	}

	switch {
	case errors.Is(err, grants.ErrNotFound):
		return nil, ErrFlowUnknown
	case err != nil:
		return nil, fmt.Errorf("read the flow: %w", err)
	case !si.belongs(request, b):
		return nil, ErrOtherBrowser
	case !request.ConsumedAt.IsZero():
		return nil, ErrFlowFinished
	case !si.Now().Before(request.ExpiresAt):
		return nil, ErrFlowExpired
	default:
		return request, nil
	}
}

// adopt binds a flow without a row to the browser that opened it. Nothing has happened in the
// flow yet, so its address is worth as much as the application's own link: the flow belongs to
// the browser in which a person first acts on it.
//
// If that isn't the browser it was sealed for, the flow begins now, as the link would. Otherwise
// an old address could be sent to a person who has signed in since, and their sign-in would pass
// for one made in the flow, so that prompt and max_age would ask for nothing (OpenID Connect Core
// 3.1.2.1). A sign-in in another tab has the same effect, since it changes the cookie.
func (si *SignIn) adopt(r *grants.Flow, b Browser) {
	if bytes.Equal(r.BrowserHash, b.Hash) {
		return
	}

	r.BrowserHash = b.Hash
	r.CreatedAt = si.Now()
}

// belongs reports whether a flow is bound to a browser's cookie or, for a form that may be
// sent twice, to that cookie's successor.
func (si *SignIn) belongs(r *grants.Flow, b Browser) bool {
	if len(b.Hash) == 0 {
		return false
	}
	if subtle.ConstantTimeCompare(r.BrowserHash, b.Hash) == 1 {
		return true
	}
	return b.Resent && subtle.ConstantTimeCompare(r.BrowserHash, oauth.HashSecret(si.Browsers.successor(b, r.ID))) == 1
}

func (si *SignIn) application(ctx context.Context, clientID string) (*directory.Application, error) {
	app, err := si.Applications.Application(ctx, clientID)
	if errors.Is(err, directory.ErrNotFound) || (err == nil && !app.Active) {
		return nil, oauth.Errorf(oauth.UnauthorizedClient, "the application is not registered or no longer active")
	}
	if err != nil {
		return nil, fmt.Errorf("read the application: %w", err)
	}
	return app, nil
}

// home returns the tenant whose page asks for the password: the one that verified the
// address's domain, or else the one through whose entrance the flow began.
func (si *SignIn) home(ctx context.Context, r *grants.Flow) (*directory.Tenant, error) {
	find := []func() (*directory.Tenant, error){}
	if r.LoginEmail != "" {
		find = append(find, func() (*directory.Tenant, error) {
			return si.People.TenantByDomain(ctx, domain.EmailDomain(r.LoginEmail))
		})
	}

	if r.Kind == grants.KindAccount && r.TenantID != "" {
		find = append(find, func() (*directory.Tenant, error) { return si.People.Tenant(ctx, r.TenantID) })
	}

	for _, look := range find {
		tenant, err := look()
		if err != nil && !errors.Is(err, directory.ErrNotFound) {
			return nil, fmt.Errorf("read the tenant of the page: %w", err)
		}
		if err == nil && tenant.Active {
			return tenant, nil
		}
	}

	return nil, nil
}

func (si *SignIn) remembered(ctx context.Context, v *Visit) error {
	if v.Request.Kind != grants.KindAuthorize || v.App.FirstParty || !v.Accepted() || v.Session.TenantID == "" {
		return nil
	}

	var err error
	if v.Remembered, err = si.Sessions.Consented(ctx, consentKey(v)); err != nil {
		return fmt.Errorf("read the consent: %w", err)
	}
	return nil
}

func consentKey(v *Visit) sessions.ConsentKey {
	return sessions.ConsentKey{
		UserID:   v.Session.UserID,
		TenantID: v.Session.TenantID,
		ClientID: v.Request.ClientID,
		Resource: v.App.ResourceFor(v.Request.Resource),
	}
}

// finish writes the session into the flow if there is nothing left to ask.
func (si *SignIn) finish(ctx context.Context, v *Visit) error {
	r := v.Request
	if r.Decision != grants.Undecided && (r.Decision == grants.Denied ||
		(r.SessionID == v.Session.ID && r.TenantID == v.Session.TenantID)) {
		return nil
	}
	return si.decide(ctx, v, grants.SignedIn)
}

// decide writes a decision. It isn't an error if another tab decided first: the outcome is
// then read from the flow's row.
func (si *SignIn) decide(ctx context.Context, v *Visit, d grants.Decision) error {
	if err := si.settle(ctx, v, nil); err != nil {
		return err
	}

	err := si.Flows.Decide(ctx, v.Request.ID, d, v.Session.ID, v.Session.TenantID, si.Now())
	switch {
	case err == nil, errors.Is(err, grants.ErrDecided):
		return nil
	case errors.Is(err, grants.ErrNotFound):
		return ErrFlowUnknown
	case errors.Is(err, grants.ErrExpired):
		return ErrFlowExpired
	case errors.Is(err, grants.ErrConsumed):
		return ErrFlowFinished
	default:
		return fmt.Errorf("decide the flow: %w", err)
	}
}
