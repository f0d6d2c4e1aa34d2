package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

// Config holds what an Issuer needs. Every field is required.
type Config struct {
	Clients        *Clients
	Tokens         *Tokens
	Codes          ports.Codes
	DeviceCodes    ports.DeviceCodes
	RefreshTokens  ports.RefreshTokens
	Consents       *sessionstore.Store
	Trail          *Trail
	Ring           *signing.Ring // signs
	Observer       ports.Observer
	Issuer         string            // the iss of tokens
	AccessTokenAlg signing.Algorithm // default for applications that have none of their own
	IDTokenAlg     signing.Algorithm
	AccessTokenTTL time.Duration
	// Defaults for applications that have no values of their own: the lifetime of a family of
	// refresh tokens, how long a refresh token may stay unused, and how long a rotated one is
	// answered with its successor.
	RefreshTokenTTL time.Duration
	RefreshIdleTTL  time.Duration
	RefreshGrace    time.Duration
	Now             func() time.Time
	Random          io.Reader
	Logger          *slog.Logger
}

// Request is a parsed token request (RFC 6749 3.2). Absent parameters are empty.
type Request struct {
	Caller
	GrantType    oauth.GrantType
	Code         string
	RedirectURI  string
	CodeVerifier string
	RefreshToken string
	DeviceCode   string
	Exchange     Exchange
	Scope        string
	Resources    []string // RFC 8707
	Audiences    []string // RFC 8693 2.1
}

// Answer is a token response (RFC 6749 5.1, OpenID Connect Core 3.1.3.3).
type Answer struct {
	AccessToken string
	ExpiresIn   time.Duration
	Scope       oauth.Scopes
	IDToken     string // empty without openid
	// RefreshToken is empty if the client gets none.
	RefreshToken string
	// IssuedTokenType is the type of AccessToken in the response to an exchange (RFC 8693
	// 2.2.1), which may be something other than an access token. It is empty for other grants.
	IssuedTokenType oauth.TokenType
}

// Issuer answers token requests.
type Issuer struct {
	Config
	grants map[oauth.GrantType]grant
}

// NewIssuer returns an Issuer that serves every supported grant type.
func NewIssuer(c Config) *Issuer {
	return &Issuer{Config: c, grants: map[oauth.GrantType]grant{
		oauth.GrantAuthorizationCode: &authorizationCode{codes: c.Codes, trail: c.Trail, logger: c.Logger},
		oauth.GrantClientCredentials: clientCredentials{},
		oauth.GrantDeviceCode:        &deviceCode{codes: c.DeviceCodes, trail: c.Trail},
		oauth.GrantRefreshToken: &refreshToken{
			tokens: c.RefreshTokens,
			grace:  c.RefreshGrace,
			trail:  c.Trail,
			random: c.Random,
			logger: c.Logger,
		},
		oauth.GrantTokenExchange: &tokenExchange{tokens: c.Tokens, trail: c.Trail},
	}}
}

// grant holds what differs between grant types. The steps that they share are in
// Issuer.issue.
type grant interface {
	// prepare checks what the client presents and returns what it authorizes. It consumes
	// nothing: after a failure in a later step the client must be able to try again.
	prepare(ctx context.Context, c *call) (*authorization, error)
	// commit makes the redemption final. The tokens are already signed, and are handed out only
	// if commit succeeds.
	commit(ctx context.Context, c *call, i *issue) error
}

// call is one request by an authenticated application.
type call struct {
	Request
	app *directory.Application
	now time.Time
}

// authorization is what the presented code, token or credentials authorize.
type authorization struct {
	subject   string
	scope     oauth.Scopes
	resource  string   // the one authorized, empty for none
	requested []string // resources named in this request
	grantID   string   // empty without a person
	offline   bool
	nonce     string
	person    *person // nil when the application acts in its own name
	// family is the refresh token that was presented, nil for other grants. successor is the
	// token that already replaced it, empty if this request is to do that.
	family    *grants.Refreshable
	successor string
	exchanged *exchanged // nil for other grants
}

// person is the person behind a grant, and how they signed in.
type person struct {
	user      directory.User
	tenant    directory.Tenant
	sessionID string // empty for offline grants without a browser
	authTime  time.Time
	acr       string
	amr       []string
}

// issue is an authorization together with everything that the shared steps decided.
type issue struct {
	*authorization
	target    string // the resource of these tokens, or empty
	expiresAt time.Time
	// refresh is the refresh token to hand out, or empty. refreshRow is its row if that has yet
	// to be stored.
	refresh    string
	refreshRow *grants.RefreshToken
}

// grantExpiresAt returns when the last token of the grant expires.
func (i *issue) grantExpiresAt() time.Time {
	if i.refreshRow != nil && i.refreshRow.ExpiresAt.After(i.expiresAt) {
		return i.refreshRow.ExpiresAt
	}
	return i.expiresAt
}

// Issue answers a token request. It returns an *oauth.Error or an error of the ports.
func (s *Issuer) Issue(ctx context.Context, r Request) (*Answer, error) {
	answer, err := s.issue(ctx, r)
	s.observe(ctx, r.GrantType, err)
	return answer, err
}

// issue runs the steps in their fixed order: authenticate the client, check its right to
// the grant type, check what it presents, decide scope and audience, sign, redeem. Signing
// comes before the redemption so that nothing is consumed while the keys are unavailable.
func (s *Issuer) issue(ctx context.Context, r Request) (*Answer, error) {
	c := &call{Request: r, now: s.Now()}
	var err error
	if c.app, err = s.Clients.authenticate(ctx, r.Caller); err != nil {
		return nil, err
	}

	g, ok := s.grants[r.GrantType]
	if !ok {
		return nil, oauth.Errorf(oauth.UnsupportedGrantType, "the grant type is not supported")
	}

	if !c.app.AllowsGrant(r.GrantType) {
		return nil, oauth.Errorf(oauth.UnauthorizedClient, "the application may not use this grant type")
	}

	a, err := g.prepare(ctx, c)
	if err != nil {
		return nil, err
	}

	i, err := s.settle(ctx, c, a)
	if err != nil {
		return nil, err
	}

	answer, err := s.sign(ctx, c, i)
	if err != nil {
		return nil, err
	}

	if err := g.commit(ctx, c, i); err != nil {
		return nil, err
	}

	answer.RefreshToken = i.refresh // commit may have found an existing one
	return answer, nil
}

// settle narrows the scope of grants by people, and decides the resource, when the tokens
// expire and whether a refresh token comes with them.
func (s *Issuer) settle(ctx context.Context, c *call, a *authorization) (*issue, error) {
	i := &issue{authorization: a}
	var err error
	if a.person != nil {
		if a.scope, err = domain.GrantedScope(c.app, a.scope); err != nil {
			return nil, err
		}
	}

	if i.target, err = s.target(ctx, c, a); err != nil {
		return nil, err
	}

	i.expiresAt = c.now.Add(firstSet(c.app.AccessTokenTTL, s.AccessTokenTTL))
	if a.exchanged != nil && i.expiresAt.After(a.exchanged.notAfter) {
		i.expiresAt = a.exchanged.notAfter
	}

	if err := s.refresh(c, i); err != nil {
		return nil, err
	}

	return i, nil
}

// target returns the resource that the tokens are for. The person behind them must have
// allowed it; an exchange checks that in its own way.
func (s *Issuer) target(ctx context.Context, c *call, a *authorization) (string, error) {
	switch {
	case a.person == nil:
		return domain.Target(c.app, a.resource, a.requested)
	case a.exchanged == nil:
		return domain.GrantedTarget(c.app, a.resource, a.requested)
	}

	target, err := domain.Target(c.app, a.resource, a.requested)
	if err != nil {
		return "", err
	}

	return target, s.mayPassOn(ctx, c, a, target)
}

func (s *Issuer) observe(ctx context.Context, asked oauth.GrantType, err error) {
	if _, ok := s.grants[asked]; !ok {
		asked = ""
	}
	s.Observer.Answered(ctx, asked, outcome(err))
}

// outcome returns the error code of a response, or "" if tokens were issued.
func outcome(err error) oauth.Code {
	if err == nil {
		return ""
	}

	if wire, ok := errors.AsType[*oauth.Error](err); ok {
		return wire.Code
	}

	if _, ok := errors.AsType[*limits.Error](err); ok {
		return oauth.TooManyRequests
	}

	if oauth.IsUnavailable(err) {
		return oauth.TemporarilyUnavailable
	}

	return oauth.ServerError
}
