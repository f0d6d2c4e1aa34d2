package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/domain"
)

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
// from the POST that Keep answered. It trusts only the session cookie and the flow, which
// only the browser that started the flow can have changed. It checks again everything that
// may have changed since.
func (a *Authorizer) Continue(ctx context.Context, handle string, visitor Visitor) (*Answer, error) {
	posted, err := a.Posted.Kept(ctx, handle)
	if err == nil {
		return a.startPosted(ctx, posted, visitor)
	}
	if !errors.Is(err, grants.ErrNotFound) {
		return nil, fmt.Errorf("open the authorization request: %w", err)
	}

	flow, err := a.find(ctx, handle)
	if err != nil {
		return nil, err
	}

	if len(flow.BrowserHash) == 0 {
		return a.startKept(ctx, flow, visitor)
	}

	if visitor.Browser == "" || !oauth.SecretMatches(flow.BrowserHash, visitor.Browser) {
		return nil, errOtherBrowser()
	}

	if !flow.ConsumedAt.IsZero() || !a.Now().Before(flow.ExpiresAt) {
		return nil, errFlowGone()
	}

	app, err := a.application(ctx, flow.ClientID, flow.Authorize.RedirectURI)
	if err != nil {
		return nil, err
	}

	if !domain.StillAllowed(app, flow) {
		return nil, errFlowGone()
	}

	switch flow.Decision {
	case grants.SignedIn, grants.Consented:
		return a.finish(ctx, app, flow, visitor)
	case grants.Denied:
		return a.end(ctx, flow, oauth.Errorf(oauth.AccessDenied, "the person refused"))
	default:
		return &Answer{Pages: flow.Handle()}, nil
	}
}

func (a *Authorizer) find(ctx context.Context, handle string) (*grants.Flow, error) {
	if len(handle) > grants.MaxFlowID {
		return nil, errFlowGone()
	}

	flow, err := a.Flows.Flow(ctx, handle)
	if errors.Is(err, grants.ErrNotFound) || (err == nil && flow.Kind != grants.KindAuthorize) {
		return nil, errFlowGone()
	}
	if err != nil {
		return nil, fmt.Errorf("look up the authorization request: %w", err)
	}

	return flow, nil
}

// startKept answers a stored request that came by POST as if it had come by this GET, which
// carries the cookies. It consumes the row first, so that the request can be used only
// once: a link to it is worth no more than a link to the endpoint with the same parameters.
func (a *Authorizer) startKept(ctx context.Context, flow *grants.Flow, visitor Visitor) (*Answer, error) {
	app, err := a.application(ctx, flow.ClientID, flow.Authorize.RedirectURI)
	if err != nil {
		return nil, err
	}

	now := a.Now()
	if err := a.Flows.Consume(ctx, flow.ID, now); err != nil {
		return nil, gone(err)
	}

	fresh := *flow
	fresh.ID, fresh.CreatedAt = "", now
	return a.answer(ctx, app, &fresh, visitor)
}

// startPosted is startKept for a request that travels in the URL. If it is sent again it is
// answered again, as the same GET would be.
func (a *Authorizer) startPosted(ctx context.Context, flow *grants.Flow, visitor Visitor) (*Answer, error) {
	now := a.Now()
	if !now.Before(flow.ExpiresAt) {
		return nil, errFlowGone()
	}

	app, err := a.application(ctx, flow.ClientID, flow.Authorize.RedirectURI)
	if err != nil {
		return nil, err
	}

	flow.ID, flow.CreatedAt = "", now
	return a.answer(ctx, app, flow, visitor)
}

// finish issues the code if everything that the person was asked for still holds. Otherwise
// it sends the browser back to the pages, which ask again. The browser must hold the
// session that answered: its browser cookie is older than the sign-in, so an attacker may
// know it. If the browser holds another session by now, the pages let that one decide; if
// it holds none, they ask for a sign-in.
func (a *Authorizer) finish(
	ctx context.Context, app *directory.Application, flow *grants.Flow, visitor Visitor,
) (*Answer, error) {
	back := &Answer{Pages: flow.ID}
	session, err := a.session(ctx, visitor.Session)
	if err != nil {
		return nil, err
	}

	if session == nil || session.ID != flow.SessionID {
		return back, nil
	}

	now := a.Now()
	switch {
	case !session.Usable(now, a.SessionIdle) || !grants.Fresh(session, flow.Prompt, flow.MaxAge, flow.CreatedAt, now):
		return back, nil
	case flow.HintSubject != "" && flow.HintSubject != session.UserID: // OpenID Connect Core 3.1.2.1
		return a.end(ctx, flow,
			oauth.Errorf(oauth.LoginRequired, "somebody else than the person of id_token_hint signed in"))
	}

	stands, err := a.stands(ctx, app, session)
	if err != nil {
		return nil, err
	}

	if !stands { // the pages could only send the browser back here
		return a.end(ctx, flow, oauth.Errorf(oauth.AccessDenied, "the account may not sign in any more"))
	}

	if flow.Decision != grants.Consented {
		needed, err := a.consentNeeded(ctx, app, flow, session)
		if needed || err != nil {
			return back, err
		}
	}

	answer, err := a.issue(ctx, flow, session, visitor)
	switch {
	case errors.Is(err, grants.ErrNotFound), errors.Is(err, grants.ErrUnproven):
		return back, nil // another tab has just decided or signed in again
	case err != nil:
		return nil, gone(err)
	}

	return answer, nil
}

// end ends the request without a code and reports the reason to the application.
func (a *Authorizer) end(ctx context.Context, flow *grants.Flow, reason *oauth.Error) (*Answer, error) {
	if err := a.Flows.Consume(ctx, flow.ID, a.Now()); err != nil {
		return nil, gone(err)
	}
	return a.refuse(domain.ReplyTo(flow.Authorize), reason), nil
}

// gone translates the error of a store for a flow that another request has ended into one
// for the person.
func gone(err error) error {
	if errors.Is(err, grants.ErrConsumed) || errors.Is(err, grants.ErrExpired) || errors.Is(err, grants.ErrNotFound) {
		return errFlowGone()
	}
	return fmt.Errorf("finish the authorization request: %w", err)
}
