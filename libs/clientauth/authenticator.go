package clientauth

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// tokenPath is the path of the token endpoint below the issuer.
const tokenPath = "/token"

// Keys finds the keys of applications that publish them at a jwks_uri.
type Keys interface {
	// Keys returns the keys that the application publishes. They may be some minutes old, but
	// an unknown kid triggers a new fetch, at most once a minute. An error means that the keys
	// are unavailable now.
	Keys(ctx context.Context, app *directory.Application, kid string) (*KeySet, error)
}

// Assertions remembers used assertions for all replicas.
type Assertions interface {
	// Use records an assertion as used. Of any number of callers with the same client and jti,
	// exactly one gets true. The record isn't needed after until.
	Use(ctx context.Context, clientID string, jtiHash []byte, until time.Time) (first bool, err error)
}

// Limiter counts failures for all replicas; limits/sqlstore implements it.
type Limiter interface {
	// Take counts a failure for each claim or, if a key is blocked, for none, and returns until
	// when it is blocked.
	Take(ctx context.Context, now time.Time, claims ...limits.Claim) (taken []limits.Taken, until time.Time, err error)
}

// Limited is the refusal of a client that has failed too often from an address, or from a
// network around it. Its cause is a *limits.Error.
type Limited struct {
	// Counted is set if this failure started a block. Failures during a block aren't counted.
	Counted bool
	cause   error
}

func (e *Limited) Error() string { return "client authentication: " + e.cause.Error() }

// Unwrap returns the *limits.Error.
func (e *Limited) Unwrap() error { return e.cause }

// Authenticator checks credentials of every method. All exported fields are required. It must not
// be copied.
type Authenticator struct {
	// Issuer is the aud of assertions. For an application with TokenEndpointAudience, aud may
	// also be the token endpoint below it.
	Issuer     string
	Keys       Keys
	Assertions Assertions
	Limiter    Limiter
	Rule       limits.Rule // how many failures a client may have from one address
	LimitKey   []byte      // secret for the limiter's keys
	Now        func() time.Time

	inline inlineSets
}

// Authenticate returns nil if the credentials, sent from an address, are the application's own.
// app is nil if the look-up found no application, and must hold the secrets' hashes.
//
// Credentials are compared first and only failures count, so a client that knows the secret is
// never held up by an attacker guessing at it, even from the same address. Failures for an
// application that does not exist aren't counted, because an attacker can invent any number of
// names and each would be a row. Errors are an *Error as in the function Authenticate, a
// *Limited if this client has failed too often from this address or its networks, and errors
// from the ports.
func (a *Authenticator) Authenticate(
	ctx context.Context, app *directory.Application, c Credentials, from netip.Addr,
) error {
	err := a.judge(ctx, app, c, a.Now())
	if refusal, ok := errors.AsType[*Error](err); !ok || refusal.Err.Code != oauth.InvalidClient {
		return err
	}
	if app == nil {
		return err
	}
	if limited := a.count(ctx, c.ClientID, from); limited != nil {
		return limited
	}

	return err
}

// count records a failure for each network of the address. While one of them is blocked it only
// reads, so that a flood of attempts can't become a flood of writes. If the failure can't be
// counted, the attempt isn't answered.
func (a *Authenticator) count(ctx context.Context, clientID string, from netip.Addr) error {
	now := a.Now()
	claims := limits.NetworkClaims(a.LimitKey, from, a.Rule, "client_auth", clientID)
	taken, until, err := a.Limiter.Take(ctx, now, claims...)
	if err != nil {
		return err
	}

	for _, t := range taken { // blocks that this failure started
		if t.Until.After(until) {
			until = t.Until
		}
	}

	if err := limits.Refuse(limits.ClientAuth, until, now); err != nil {
		return &Limited{cause: err, Counted: len(taken) > 0}
	}

	return nil
}

func (a *Authenticator) judge(ctx context.Context, app *directory.Application, c Credentials, now time.Time) error {
	if c.Method != PrivateKeyJWT {
		return Authenticate(app, c, now)
	}

	// Checks that concern only the assertion come first: they reveal nothing about the
	// application, and keep strangers from making the platform fetch keys.
	endpoint := a.Issuer + tokenPath
	if problem := c.assertion.problem(now, a.Issuer, endpoint); problem != "" {
		return refuse(oauth.InvalidClient, problem, false)
	}

	invalid := invalidClient(false)
	if c.assertion.names(endpoint) { // checked for all applications, so as not to reveal which are allowed it
		invalid.Err.Description += "; aud of client_assertion should be the issuer: the token endpoint is accepted" +
			" only where the application is registered with token_endpoint_audience"
	}

	if app == nil || !app.Active || app.Public() || (c.assertion.names(endpoint) && !app.TokenEndpointAudience) {
		return invalid
	}

	set, err := a.keys(ctx, app, c.assertion.kid)
	switch {
	case err != nil: // a good assertion must not be called bad because its keys can't be fetched
		return oauth.Unavailable(err)
	case set == nil || !c.assertion.signedBy(set):
		return invalid
	}

	if err := admitted(app); err != nil {
		return err
	}

	return a.useOnce(ctx, c)
}

// keys returns the application's keys, or nil if it has none.
func (a *Authenticator) keys(ctx context.Context, app *directory.Application, kid string) (*KeySet, error) {
	switch {
	case len(app.JWKS) > 0 && string(app.JWKS) != "null":
		return a.inline.parse(app.JWKS)
	case app.JWKSURI != "":
		return a.Keys.Keys(ctx, app, kid)
	default:
		return nil, nil //nolint:nilnil // no keys is an answer, not a failure
	}
}

// useOnce must come last, so that an assertion refused for another reason stays unused.
func (a *Authenticator) useOnce(ctx context.Context, c Credentials) error {
	jtiHash, until := c.assertion.once()
	first, err := a.Assertions.Use(ctx, c.ClientID, jtiHash, until)
	switch {
	case err != nil:
		return err
	case !first:
		refusal := refuse(oauth.InvalidClient, "client_assertion was used before: each needs a jti of its own", false)
		refusal.Reused = true
		return refusal
	default:
		return nil
	}
}
