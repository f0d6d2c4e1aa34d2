package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/domain"
)

// answer decides whether a session of this browser answers the request at once.
func (a *Authorizer) answer(
	ctx context.Context, app *directory.Application, flow *grants.Flow, visitor Visitor,
) (*Answer, error) {
	session, need, err := a.who(ctx, app, flow, visitor)
	if err == nil && need == domain.Nothing {
		var answer *Answer
		answer, err = a.issue(ctx, flow, session, visitor)
		if err == nil {
			return answer, nil
		}

		if errors.Is(err, grants.ErrUnproven) { // another tab has just signed in again
			need, err = domain.Login, nil
		}
	}

	switch {
	case err != nil:
		return nil, err
	case flow.Prompt.Has(oauth.PromptNone):
		return a.refuse(domain.ReplyTo(flow.Authorize), need.Refusal(app, flow.Authorize.RedirectURI)), nil
	default:
		return a.toPages(ctx, flow, visitor)
	}
}

// who returns the session of this browser that a request is for, or nil, and what is still
// needed before a code can be issued. Several people may be signed in in one browser. A
// hint chooses among them; without one it is the person whose session cookie the browser
// sends (OpenID Connect Core 3.1.2.1).
//
// The other sessions are authenticated by the accounts cookie, which all sessions of a
// browser share. It is as strong as the session cookie and is renewed together with it.
func (a *Authorizer) who(
	ctx context.Context, app *directory.Application, flow *grants.Flow, visitor Visitor,
) (*sessions.Session, domain.Need, error) {
	current, err := a.session(ctx, visitor.Session)
	if err != nil {
		return nil, domain.Login, err
	}

	switch {
	case flow.HintSubject != "":
		return a.hintedSubject(ctx, app, flow, current, visitor)
	case domain.IsAddress(flow.LoginHint):
		return a.hintedAddress(ctx, app, flow, current, visitor)
	}

	need, err := a.need(ctx, app, flow, current)
	if err == nil && flow.Prompt.Has(oauth.PromptNone) {
		need, err = a.choice(ctx, current, need, visitor)
	}

	return current, need, err
}

// session returns the browser's session, or nil.
func (a *Authorizer) session(ctx context.Context, value string) (*sessions.Session, error) {
	if value == "" {
		return nil, nil
	}

	session, err := a.Sessions.ByCookie(ctx, oauth.HashSecret(value))
	if errors.Is(err, sessions.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up the session: %w", err)
	}

	return session, nil
}

func (a *Authorizer) need(
	ctx context.Context, app *directory.Application, flow *grants.Flow, session *sessions.Session,
) (domain.Need, error) {
	if need := domain.SignIn(flow, session, a.SessionIdle, a.Now()); need != domain.Nothing {
		return need, nil
	}

	stands, err := a.stands(ctx, app, session)
	if err != nil {
		return domain.Nothing, err
	}

	if !stands {
		return domain.Login, nil
	}

	needed, err := a.consentNeeded(ctx, app, flow, session)
	if needed {
		return domain.Consent, err
	}

	return domain.Nothing, err
}

// stands reports whether the session's person may enter the application in the session's
// tenant. Otherwise a code couldn't be redeemed, and the person wouldn't learn why.
func (a *Authorizer) stands(ctx context.Context, app *directory.Application, session *sessions.Session) (bool, error) {
	user, err := a.People.User(ctx, session.UserID)
	if errors.Is(err, directory.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up the user: %w", err)
	}

	tenants, err := a.People.Tenants(ctx, session.UserID)
	if err != nil {
		return false, fmt.Errorf("look up the memberships: %w", err)
	}

	return directory.EntryTo(session.TenantID, user, tenants, app, session.AMR).Stands(), nil
}

func (a *Authorizer) consentNeeded(
	ctx context.Context, app *directory.Application, flow *grants.Flow, session *sessions.Session,
) (bool, error) {
	// If consent is needed even with every scope remembered, then memory doesn't matter.
	if grants.ConsentNeeded(app, flow.Authorize.RedirectURI, flow.Prompt, flow.Scope, flow.Scope) {
		return true, nil
	}

	if !grants.ConsentNeeded(app, flow.Authorize.RedirectURI, flow.Prompt, flow.Scope, nil) {
		return false, nil
	}

	remembered, err := a.Sessions.Consented(ctx, sessions.ConsentKey{
		UserID:   session.UserID,
		TenantID: session.TenantID,
		ClientID: app.ClientID,
		Resource: app.ResourceFor(flow.Resource),
	})
	if err != nil {
		return false, fmt.Errorf("look up the consent: %w", err)
	}

	return grants.ConsentNeeded(app, flow.Authorize.RedirectURI, flow.Prompt, flow.Scope, remembered), nil
}

// issue creates a code for what the session's person allows, and stores it. If the request is
// stored, the code consumes it.
func (a *Authorizer) issue(
	ctx context.Context, flow *grants.Flow, session *sessions.Session, visitor Visitor,
) (*Answer, error) {
	secret, err := oauth.NewSecret(a.Random)
	if err != nil {
		return nil, err
	}

	grantID, err := oauth.NewID("gnt_", a.Random)
	if err != nil {
		return nil, err
	}

	now := a.Now()
	code := &grants.AuthorizationCode{
		Hash:          oauth.HashSecret(secret),
		RequestID:     flow.ID,
		ClientID:      flow.ClientID,
		RedirectURI:   flow.Authorize.RedirectURI,
		CodeChallenge: flow.Authorize.CodeChallenge,
		Scope:         flow.Scope,
		Nonce:         flow.Authorize.Nonce,
		Resource:      flow.Resource,
		GrantID:       grantID,
		Offline:       flow.Scope.Has(oauth.ScopeOfflineAccess),
		UserID:        session.UserID,
		TenantID:      session.TenantID,
		SessionID:     session.ID,
		SessionProof:  session.Proof,
		AuthTime:      session.AuthTime,
		ACR:           session.ACR,
		AMR:           session.AMR,
		CreatedAt:     now,
		ExpiresAt:     now.Add(a.CodeTTL),
	}

	if flow.ID == "" {
		err = a.Codes.Issue(ctx, code)
	} else {
		err = a.Codes.IssueFromRequest(ctx, code, now)
	}
	if err != nil {
		return nil, fmt.Errorf("store the code: %w", err)
	}

	a.recordCode(ctx, code, visitor)

	// Using a session keeps it from expiring as idle. The code has already been issued, so a
	// failure is only logged.
	if now.Sub(session.LastSeenAt) >= touchEvery {
		if err := a.Sessions.Touch(ctx, session.ID, now); err != nil {
			a.Logger.WarnContext(ctx, "can't record that a session was used", "session", session.ID, "error", err)
		}
	}

	reply := domain.ReplyTo(flow.Authorize)
	return &Answer{Reply: &reply, Params: reply.Code(a.Issuer, secret)}, nil
}

// recordCode adds an issued code to the audit trail. A failure is logged but doesn't hold back
// the code.
func (a *Authorizer) recordCode(ctx context.Context, code *grants.AuthorizationCode, visitor Visitor) {
	how := "pages" // the person saw at least one
	if code.RequestID == "" {
		how = "silent"
	}

	event := audit.Event{
		Kind:      audit.CodeIssued,
		UserID:    code.UserID,
		ClientID:  code.ClientID,
		TenantID:  code.TenantID,
		SessionID: code.SessionID,
		GrantID:   code.GrantID,
		Reference: visitor.Reference,
		Detail:    map[string]string{"scope": code.Scope.String(), "how": how},
	}
	if visitor.Address.IsValid() {
		event.Address = visitor.Address.String()
	}
	if code.Resource != "" {
		event.Detail["resource"] = code.Resource
	}

	audit.RecordOrLog(ctx, a.Trail, a.Logger, event)
}

// toPages sends the browser to the sign-in pages. The request travels sealed in the URL, since
// it isn't known yet whether there is a person behind it. That URL is worth as much as the
// application's own link: the flow belongs to the browser in which a person first acts on it,
// and if its cookie isn't the one sealed here, the flow begins anew there. A request that is too
// long for a URL is stored, and bound to this browser at once.
func (a *Authorizer) toPages(ctx context.Context, flow *grants.Flow, visitor Visitor) (*Answer, error) {
	answer := &Answer{}
	browser := visitor.Browser
	if browser == "" {
		var err error
		if browser, err = oauth.NewSecret(a.Random); err != nil {
			return nil, err
		}
		answer.Browser = browser
	}

	id, err := oauth.NewID("flw_", a.Random)
	if err != nil {
		return nil, err
	}

	flow.ID = id
	flow.BrowserHash = oauth.HashSecret(browser)
	flow.ExpiresAt = flow.CreatedAt.Add(flowTTL)
	answer.Pages, err = a.Flows.Seal(ctx, flow)
	if err != nil {
		return nil, fmt.Errorf("seal the authorization request: %w", err)
	}

	if answer.Pages != "" {
		return answer, nil
	}

	known := flow.BrowserHash
	if visitor.Browser == "" {
		known = nil
	}

	if err := a.insert(ctx, flow, known, visitor.Address); err != nil {
		return nil, err
	}

	answer.Pages = flow.ID
	return answer, nil
}

// insert stores a new request. If the browser or the address has started too many it
// returns *limits.Error, which is shown here rather than sent to the application, so that a
// flood of requests doesn't reach it. browser is the hash of the cookie that came with the
// request, or nil.
func (a *Authorizer) insert(ctx context.Context, flow *grants.Flow, browser []byte, from netip.Addr) error {
	if err := a.Starts.StartIn(ctx, flow.CreatedAt, browser, from); err != nil {
		return err
	}

	if flow.ID == "" {
		id, err := oauth.NewID("flw_", a.Random)
		if err != nil {
			return err
		}
		flow.ID = id
	}

	if err := a.Flows.InsertFlow(ctx, flow); err != nil {
		return fmt.Errorf("store the authorization request: %w", err)
	}

	return nil
}
