package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/domain"
)

// maxFlowID is longer than any id or token that we issue.
const maxFlowID = 4 << 10

// OverError means that a flow can't continue, or not in this browser. Programs get its
// cause, an *oauth.Error. People are sent to the flow's own page, which offers a way to
// continue.
type OverError struct{ cause *oauth.Error }

func (e *OverError) Error() string { return e.cause.Error() }

// Unwrap returns the *oauth.Error.
func (e *OverError) Unwrap() error { return e.cause }

func errFlowGone() error {
	return &OverError{oauth.Errorf(oauth.InvalidRequest,
		"this sign-in has expired or was already completed; go back to the application and start again")}
}

func errOtherBrowser() error {
	return &OverError{oauth.Errorf(oauth.InvalidRequest,
		"this sign-in was started in another browser; go back to the application and start again, with cookies allowed")}
}

// Continue answers a browser that returns with its flow, either from the sign-in pages or
// from the POST that Keep answered. It trusts only the session cookie and the row, which
// only the browser that started the flow can have changed. It checks again everything that
// may have changed since.
func (a *Authorizer) Continue(ctx context.Context, flow string, visitor Visitor) (*Answer, error) {
	posted, err := a.Posted.Kept(ctx, flow)
	if err == nil {
		return a.startPosted(ctx, posted, visitor)
	}
	if !errors.Is(err, grants.ErrNotFound) {
		return nil, fmt.Errorf("open the authorization request: %w", err)
	}

	row, err := a.flow(ctx, flow)
	if err != nil {
		return nil, err
	}

	if len(row.BrowserHash) == 0 {
		return a.startKept(ctx, row, visitor)
	}

	if visitor.Browser == "" || !oauth.SecretMatches(row.BrowserHash, visitor.Browser) {
		return nil, errOtherBrowser()
	}

	if !row.ConsumedAt.IsZero() || !a.Now().Before(row.ExpiresAt) {
		return nil, errFlowGone()
	}

	app, err := a.application(ctx, row.ClientID, row.RedirectURI)
	if err != nil {
		return nil, err
	}

	if !domain.StillAllowed(app, row) {
		return nil, errFlowGone()
	}

	switch row.Decision {
	case grants.SignedIn, grants.Consented:
		return a.finish(ctx, app, row, visitor)
	case grants.Denied:
		return a.end(ctx, row, oauth.Errorf(oauth.AccessDenied, "the person refused"))
	default:
		return &Answer{Pages: row.Handle()}, nil
	}
}

func (a *Authorizer) flow(ctx context.Context, id string) (*grants.AuthorizationRequest, error) {
	if len(id) > maxFlowID {
		return nil, errFlowGone()
	}

	row, err := a.Requests.Request(ctx, id)
	if errors.Is(err, grants.ErrNotFound) || (err == nil && row.Kind != grants.KindAuthorize) {
		return nil, errFlowGone()
	}
	if err != nil {
		return nil, fmt.Errorf("look up the authorization request: %w", err)
	}

	return row, nil
}

// startKept answers a stored request that came by POST as if it had come by this GET, which
// carries the cookies. It consumes the row first, so that the request can be used only
// once: a link to it is worth no more than a link to the endpoint with the same parameters.
func (a *Authorizer) startKept(
	ctx context.Context, row *grants.AuthorizationRequest, visitor Visitor,
) (*Answer, error) {
	app, err := a.application(ctx, row.ClientID, row.RedirectURI)
	if err != nil {
		return nil, err
	}

	now := a.Now()
	if err := a.Requests.Consume(ctx, row.ID, now); err != nil {
		return nil, gone(err)
	}

	fresh := *row
	fresh.ID, fresh.CreatedAt = "", now
	return a.answer(ctx, app, &fresh, visitor)
}

// startPosted is startKept for a request that travels in the URL. If it is sent again it is
// answered again, as the same GET would be.
func (a *Authorizer) startPosted(
	ctx context.Context, row *grants.AuthorizationRequest, visitor Visitor,
) (*Answer, error) {
	now := a.Now()
	if !now.Before(row.ExpiresAt) {
		return nil, errFlowGone()
	}

	app, err := a.application(ctx, row.ClientID, row.RedirectURI)
	if err != nil {
		return nil, err
	}

	row.ID, row.CreatedAt = "", now
	return a.answer(ctx, app, row, visitor)
}

// finish issues the code if everything that the person was asked for still holds. Otherwise
// it sends the browser back to the pages, which ask again. The browser must hold the
// session that answered: its browser cookie is older than the sign-in, so an attacker may
// know it. If the browser holds another session by now, the pages let that one decide; if
// it holds none, they ask for a sign-in.
func (a *Authorizer) finish(
	ctx context.Context, app *directory.Application, row *grants.AuthorizationRequest, visitor Visitor,
) (*Answer, error) {
	back := &Answer{Pages: row.ID}
	session, err := a.session(ctx, visitor.Session)
	if err != nil {
		return nil, err
	}

	if session == nil || session.ID != row.SessionID {
		return back, nil
	}

	now := a.Now()
	switch {
	case !session.Usable(now, a.SessionIdle) || !grants.Fresh(session, row.Prompt, row.MaxAge, row.CreatedAt, now):
		return back, nil
	case row.HintSubject != "" && row.HintSubject != session.UserID: // OpenID Connect Core 3.1.2.1
		return a.end(ctx, row,
			oauth.Errorf(oauth.LoginRequired, "somebody else than the person of id_token_hint signed in"))
	}

	stands, err := a.stands(ctx, app, session)
	if err != nil {
		return nil, err
	}

	if !stands { // the pages could only send the browser back here
		return a.end(ctx, row, oauth.Errorf(oauth.AccessDenied, "the account may not sign in any more"))
	}

	if row.Decision != grants.Consented {
		needed, err := a.consentNeeded(ctx, app, row, session)
		if needed || err != nil {
			return back, err
		}
	}

	answer, err := a.issue(ctx, row, session, func(ctx context.Context, code *grants.AuthorizationCode) error {
		return a.Codes.IssueFromRequest(ctx, code, now)
	})
	switch {
	case errors.Is(err, grants.ErrNotFound): // another tab has just decided again
		return back, nil
	case err != nil:
		return nil, gone(err)
	}

	return answer, nil
}

// end ends the request without a code and reports the reason to the application.
func (a *Authorizer) end(ctx context.Context, row *grants.AuthorizationRequest, reason *oauth.Error) (*Answer, error) {
	if err := a.Requests.Consume(ctx, row.ID, a.Now()); err != nil {
		return nil, gone(err)
	}
	return a.refuse(domain.ReplyTo(row), reason), nil
}

// issue creates a code for what the session's person allows, and stores it.
func (a *Authorizer) issue(
	ctx context.Context, row *grants.AuthorizationRequest, session *sessions.Session,
	store func(context.Context, *grants.AuthorizationCode) error,
) (*Answer, error) {
	code, err := oauth.NewSecret(a.Random)
	if err != nil {
		return nil, err
	}

	grantID, err := oauth.NewID("gnt_", a.Random)
	if err != nil {
		return nil, err
	}

	now := a.Now()
	err = store(ctx, &grants.AuthorizationCode{
		Hash:          oauth.HashSecret(code),
		RequestID:     row.ID,
		ClientID:      row.ClientID,
		RedirectURI:   row.RedirectURI,
		CodeChallenge: row.CodeChallenge,
		Scope:         row.Scope,
		Nonce:         row.Nonce,
		Resource:      row.Resource,
		GrantID:       grantID,
		Offline:       row.Scope.Has(oauth.ScopeOfflineAccess),
		UserID:        session.UserID,
		TenantID:      session.TenantID,
		SessionID:     session.ID,
		AuthTime:      session.AuthTime,
		ACR:           session.ACR,
		AMR:           session.AMR,
		CreatedAt:     now,
		ExpiresAt:     now.Add(a.CodeTTL),
	})
	if err != nil {
		return nil, fmt.Errorf("store the code: %w", err)
	}

	a.touch(ctx, session)
	reply := domain.ReplyTo(row)
	return &Answer{Reply: &reply, Params: reply.Code(a.Issuer, code)}, nil
}

// touch keeps the session from expiring as idle. The code has already been issued, so a
// failure is only logged.
func (a *Authorizer) touch(ctx context.Context, session *sessions.Session) {
	now := a.Now()
	if now.Sub(session.LastSeenAt) < touchEvery {
		return
	}
	if err := a.Sessions.Touch(ctx, session.ID, now); err != nil {
		a.Logger.WarnContext(ctx, "can't record that a session was used", "session", session.ID, "error", err)
	}
}

// gone translates the error of a store for a flow that another request has ended into one
// for the person.
func gone(err error) error {
	if errors.Is(err, grants.ErrConsumed) || errors.Is(err, grants.ErrExpired) || errors.Is(err, grants.ErrNotFound) {
		return errFlowGone()
	}
	return fmt.Errorf("finish the authorization request: %w", err)
}
