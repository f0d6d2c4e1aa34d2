package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/ports"
)

const (
	// flowTTL is how long a request waits for a person.
	flowTTL = grants.RequestTTL
	// postedTTL is how long a request that came by POST waits for its own GET, which the
	// browser sends immediately.
	postedTTL = 5 * time.Minute
	// touchEvery is the minimum time between two updates of a session's last use, so that not
	// every single sign-on costs a write.
	touchEvery = time.Minute
)

// Config holds what an Authorizer needs. Every field is required.
type Config struct {
	Applications ports.Applications
	People       ports.People
	Sessions     ports.Sessions
	Accounts     ports.Accounts
	Requests     ports.Requests
	Posted       ports.Posted
	Codes        ports.Codes
	Trail        ports.Trail
	Flows        ports.Flows
	Hints        ports.Hints
	Issuer       string
	// Loopback reports that the platform itself runs on a loopback address, where only http is
	// available.
	Loopback    bool
	SessionIdle time.Duration
	CodeTTL     time.Duration
	Now         func() time.Time
	Random      io.Reader
	Logger      *slog.Logger
}

// Authorizer answers authorization requests (RFC 6749 4.1, OpenID Connect Core
// 3.1.2).
type Authorizer struct{ Config }

// Visitor describes the browser that sent a request: the values of its cookies, which are
// empty for a missing cookie, its address, and the reference under which the request is
// found in traces and logs.
type Visitor struct {
	Browser   string
	Session   string
	Accounts  string
	Address   netip.Addr
	Reference string
}

// Answer says where the browser goes next. Exactly one of Reply, Pages and Self is set.
type Answer struct {
	Reply  *domain.Reply // redirect to the application with Params
	Params url.Values
	Pages  string // redirect to the sign-in pages of this flow
	Self   string // redirect to this endpoint's own GET with this flow
	// Browser is a browser cookie to set, or empty.
	Browser string
}

// Start answers a request that came by GET. It returns an error only if the error must not
// be reported to the application.
func (a *Authorizer) Start(ctx context.Context, request *domain.Request, visitor Visitor) (*Answer, error) {
	app, row, refused, err := a.check(ctx, request)
	if refused != nil || err != nil {
		return refused, err
	}
	return a.answer(ctx, app, row, visitor)
}

// Keep answers a request that came by POST by redirecting the browser to its own GET. A
// POST from another site carries no Lax cookies, so nothing is known about the browser yet.
//
// The request travels sealed in the URL and isn't bound to a browser: a link to it is worth
// no more than a link to the endpoint with the same parameters. A request that is too long
// for a URL is stored. Its browser_hash matches no cookie, so the sign-in pages refuse it;
// Continue turns it into a bound request, once.
func (a *Authorizer) Keep(ctx context.Context, request *domain.Request, visitor Visitor) (*Answer, error) {
	_, row, refused, err := a.check(ctx, request)
	if refused != nil || err != nil {
		return refused, err
	}

	row.BrowserHash = []byte{}
	row.ExpiresAt = row.CreatedAt.Add(postedTTL)
	token, err := a.Posted.Keep(ctx, row)
	if err != nil {
		return nil, fmt.Errorf("seal the authorization request: %w", err)
	}

	if token != "" {
		return &Answer{Self: token}, nil
	}

	if err := a.insert(ctx, row, nil, visitor.Address); err != nil {
		return nil, err
	}

	return &Answer{Self: row.ID}, nil
}

// check finds the application and makes all decisions that don't depend on the browser.
// refused is an answer for the application. err must not be sent to the redirect URI.
func (a *Authorizer) check(
	ctx context.Context, request *domain.Request,
) (app *directory.Application, row *grants.AuthorizationRequest, refused *Answer, err error) {
	app, err = a.application(ctx, request.ClientID, request.RedirectURI)
	if err != nil {
		return nil, nil, nil, err
	}

	if fault := request.Check(app); fault != nil {
		return nil, nil, a.refuse(request.Reply(), fault), nil
	}

	row = request.Row()
	row.CreatedAt = a.Now()

	if request.IDTokenHint == "" {
		return app, row, nil, nil
	}

	row.HintSubject, err = a.Hints.Subject(ctx, request.IDTokenHint, request.ClientID)
	switch {
	case errors.Is(err, ports.ErrInvalidHint):
		return nil, nil, a.refuse(request.Reply(),
			oauth.Errorf(oauth.InvalidRequest,
				"id_token_hint is not an ID token issued by this server to this application")), nil
	case err != nil:
		return nil, nil, nil, oauth.Unavailable(err)
	}

	return app, row, nil, nil
}

// application finds the application and checks that the redirect URI is its own. Its errors
// are never answered by a redirect.
func (a *Authorizer) application(ctx context.Context, clientID, redirectURI string) (*directory.Application, error) {
	app, err := a.Applications.Application(ctx, clientID)
	switch {
	case errors.Is(err, directory.ErrNotFound) || (err == nil && !app.Active):
		return nil, domain.UnknownClient()
	case err != nil:
		return nil, fmt.Errorf("look up the application: %w", err)
	case app.ScopeLevel != directory.Global:
		return nil, oauth.Errorf(oauth.UnauthorizedClient,
			"the application belongs to one tenant and may not use the platform endpoints")
	case !app.AllowsRedirect(redirectURI):
		return nil, oauth.Errorf(oauth.InvalidRequest, "redirect_uri is not registered for this application")
	case !a.Loopback && app.MisplacedLoopback(redirectURI): // registered before such URIs were refused
		return nil, oauth.Errorf(oauth.InvalidRequest,
			"redirect_uri is http on loopback, which is for NATIVE applications;"+
				" an operator can set development: true for one that is being built")
	}

	return app, nil
}

func (a *Authorizer) refuse(reply domain.Reply, fault *oauth.Error) *Answer {
	return &Answer{Reply: &reply, Params: reply.Error(a.Issuer, fault)}
}

// answer decides whether a session of this browser answers the request at once.
func (a *Authorizer) answer(
	ctx context.Context, app *directory.Application, row *grants.AuthorizationRequest, visitor Visitor,
) (*Answer, error) {
	session, need, err := a.who(ctx, app, row, visitor)
	if err == nil && need == domain.Nothing {
		var answer *Answer
		answer, err = a.issue(ctx, row, session, visitor)
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
	case row.Prompt.Has(oauth.PromptNone):
		return a.refuse(domain.ReplyTo(row), need.Refusal(app, row.RedirectURI)), nil
	default:
		return a.toPages(ctx, row, visitor)
	}
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
	ctx context.Context, app *directory.Application, row *grants.AuthorizationRequest, session *sessions.Session,
) (domain.Need, error) {
	if need := domain.SignIn(row, session, a.SessionIdle, a.Now()); need != domain.Nothing {
		return need, nil
	}

	stands, err := a.stands(ctx, app, session)
	if err != nil {
		return domain.Nothing, err
	}

	if !stands {
		return domain.Login, nil
	}

	needed, err := a.consentNeeded(ctx, app, row, session)
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
	ctx context.Context, app *directory.Application, row *grants.AuthorizationRequest, session *sessions.Session,
) (bool, error) {
	// If consent is needed even with every scope remembered, then memory doesn't matter.
	if grants.ConsentNeeded(app, row.RedirectURI, row.Prompt, row.Scope, row.Scope) {
		return true, nil
	}

	if !grants.ConsentNeeded(app, row.RedirectURI, row.Prompt, row.Scope, nil) {
		return false, nil
	}

	remembered, err := a.Sessions.Consented(ctx, sessions.ConsentKey{
		UserID:   session.UserID,
		TenantID: session.TenantID,
		ClientID: app.ClientID,
		Resource: app.ResourceFor(row.Resource),
	})
	if err != nil {
		return false, fmt.Errorf("look up the consent: %w", err)
	}

	return grants.ConsentNeeded(app, row.RedirectURI, row.Prompt, row.Scope, remembered), nil
}

// toPages sends the browser to the sign-in pages. The request is bound to this browser and
// travels sealed in the URL, since it isn't known yet whether there is a person behind it.
// A request that is too long for a URL is stored.
func (a *Authorizer) toPages(ctx context.Context, row *grants.AuthorizationRequest, visitor Visitor) (*Answer, error) {
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

	row.ID = id
	row.BrowserHash = oauth.HashSecret(browser)
	row.ExpiresAt = row.CreatedAt.Add(flowTTL)
	answer.Pages, err = a.Requests.Seal(ctx, row)
	if err != nil {
		return nil, fmt.Errorf("seal the authorization request: %w", err)
	}

	if answer.Pages != "" {
		return answer, nil
	}

	known := row.BrowserHash
	if visitor.Browser == "" {
		known = nil
	}

	if err := a.insert(ctx, row, known, visitor.Address); err != nil {
		return nil, err
	}

	answer.Pages = row.ID
	return answer, nil
}

// insert stores a new request. If the browser or the address has started too many it
// returns *limits.Error, which is shown here rather than sent to the application, so that a
// flood of requests doesn't reach it. browser is the hash of the cookie that came with the
// request, or nil.
func (a *Authorizer) insert(
	ctx context.Context, row *grants.AuthorizationRequest, browser []byte, from netip.Addr,
) error {
	if err := a.Flows.StartIn(ctx, row.CreatedAt, browser, from); err != nil {
		return err
	}

	if row.ID == "" {
		id, err := oauth.NewID("flw_", a.Random)
		if err != nil {
			return err
		}
		row.ID = id
	}

	if err := a.Requests.InsertRequest(ctx, row); err != nil {
		return fmt.Errorf("store the authorization request: %w", err)
	}

	return nil
}
