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

	"github.com/platform-oauth/platform-oauth/libs/audit"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/ports"
)

const (
	// flowTTL is how long a request waits for a person.
	flowTTL = grants.FlowTTL
	// postedTTL is how long a request that came by POST waits for its own GET, which the
	// browser sends immediately.
	postedTTL = 5 * time.Minute
	// touchEvery is the minimum time between two updates of a session's last use, so that not
	// every single sign-on costs a write.
	touchEvery = time.Minute
)

// Config holds what an Authorizer needs. Every field is required.
type Config struct {
	Applications *appcache.Cache
	People       *directorystore.People
	Sessions     ports.Sessions
	Flows        ports.Flows
	Posted       *grantstore.ForAuthorize // seals requests that came by POST
	Codes        ports.Codes
	Trail        audit.Trail
	Starts       *limits.Starts // counts the requests that are stored
	Hints        *signing.Hints
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
	app, flow, refused, err := a.check(ctx, request)
	if refused != nil || err != nil {
		return refused, err
	}
	return a.answer(ctx, app, flow, visitor)
}

// Keep answers a request that came by POST by redirecting the browser to its own GET. A
// POST from another site carries no Lax cookies, so nothing is known about the browser yet.
//
// The request travels sealed in the URL and isn't bound to a browser: a link to it is worth
// no more than a link to the endpoint with the same parameters. A request that is too long
// for a URL is stored. Its browser_hash matches no cookie, so the sign-in pages refuse it;
// Continue turns it into a bound request, once.
func (a *Authorizer) Keep(ctx context.Context, request *domain.Request, visitor Visitor) (*Answer, error) {
	_, flow, refused, err := a.check(ctx, request)
	if refused != nil || err != nil {
		return refused, err
	}

	flow.BrowserHash = []byte{}
	flow.ExpiresAt = flow.CreatedAt.Add(postedTTL)
	token, err := a.Posted.Keep(ctx, flow)
	if err != nil {
		return nil, fmt.Errorf("seal the authorization request: %w", err)
	}

	if token != "" {
		return &Answer{Self: token}, nil
	}

	if err := a.insert(ctx, flow, nil, visitor.Address); err != nil {
		return nil, err
	}

	return &Answer{Self: flow.ID}, nil
}

// check finds the application and makes all decisions that don't depend on the browser.
// refused is an answer for the application. err must not be sent to the redirect URI.
func (a *Authorizer) check(
	ctx context.Context, request *domain.Request,
) (app *directory.Application, flow *grants.Flow, refused *Answer, err error) {
	app, err = a.application(ctx, request.ClientID, request.RedirectURI)
	if err != nil {
		return nil, nil, nil, err
	}

	if fault := request.Check(app); fault != nil {
		return nil, nil, a.refuse(domain.ReplyTo(&request.Authorization), fault), nil
	}

	flow = request.Flow()
	flow.CreatedAt = a.Now()

	if request.IDTokenHint == "" {
		return app, flow, nil, nil
	}

	hint, err := a.Hints.Read(ctx, request.IDTokenHint, a.Issuer)
	if errors.Is(err, signing.ErrInvalid) && a.Hints.Ready() != nil {
		err = fmt.Errorf("no keys to check a hint with: %w", a.Hints.Ready())
	}

	switch {
	case errors.Is(err, signing.ErrInvalid) || (err == nil && !hint.For(request.ClientID)):
		return nil, nil, a.refuse(domain.ReplyTo(&request.Authorization),
			oauth.Errorf(oauth.InvalidRequest,
				"id_token_hint is not an ID token issued by this server to this application")), nil
	case err != nil:
		return nil, nil, nil, oauth.Unavailable(err)
	}

	flow.HintSubject = hint.Subject

	return app, flow, nil, nil
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
