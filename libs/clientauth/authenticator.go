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

// tokenPath is where the token endpoint is below the issuer.
const tokenPath = "/token"

// Keys finds the keys of applications that publish them at a jwks_uri.
type Keys interface {
	// Keys returns what the application publishes. It may be some minutes old,
	// save that an unknown kid makes it look again, at most once a minute. An error
	// means that the keys cannot be had now.
	Keys(ctx context.Context, app *directory.Application, kid string) (*KeySet, error)
}

// Assertions remembers which assertions were used, for all replicas.
type Assertions interface {
	// Use writes an assertion down. Of any number of callers with the same client
	// and jti exactly one hears true. Nobody asks for it after until.
	Use(ctx context.Context, clientID string, jtiHash []byte, until time.Time) (first bool, err error)
}

// Limiter counts failures, for all replicas: limits/sqlstore.
type Limiter interface {
	Blocked(ctx context.Context, now time.Time, keys ...limits.Key) (until time.Time, err error)
	Fail(ctx context.Context, now time.Time, rule limits.Rule, key limits.Key) (until time.Time, err error)
}

// Limited is the refusal of a client and address that have failed too often. Its
// cause is a *limits.Error.
type Limited struct {
	// Counted says that this failure is the one that blocked them, or blocked them
	// anew: those that follow meanwhile are not counted.
	Counted bool
	cause   error
}

func (e *Limited) Error() string { return "client authentication: " + e.cause.Error() }

// Unwrap gives the *limits.Error.
func (e *Limited) Unwrap() error { return e.cause }

// Authenticator judges credentials of every method. All fields are required.
type Authenticator struct {
	// Issuer is the aud of assertions; the token endpoint below it may be, of an
	// application with TokenEndpointAudience.
	Issuer     string
	Keys       Keys
	Assertions Assertions
	Limiter    Limiter
	Rule       limits.Rule // how many failures a client and address may have
	LimitKey   []byte      // secret of the limiter's keys
	Now        func() time.Time
}

// Authenticate reports whether the credentials that came from an address are the
// application's own; nil is the answer yes. app is nil where the look-up found
// none, and must hold the secrets' hashes.
//
// Credentials are compared first and only failures count, so that whoever knows
// the secret is never held up by those who guess at it: not even from the same
// address. What fails for an application that does not exist is not counted: strangers
// invent as many names as they like, and each would be a row. Errors are an *Error as
// in the function Authenticate, a *Limited where this client and address have failed
// too often, and what the ports answer.
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

// count writes a failure down. While the pair is blocked it only reads: a flood
// shall not become a flood of writes. If it cannot be counted, the guess gets no
// answer.
func (a *Authenticator) count(ctx context.Context, clientID string, from netip.Addr) error {
	now := a.Now()
	key := limits.NewKey(a.LimitKey, "client_auth", clientID, limits.Address(from))
	until, err := a.Limiter.Blocked(ctx, now, key)
	counted := err == nil && !until.After(now)
	if counted {
		until, err = a.Limiter.Fail(ctx, now, a.Rule, key)
	}

	if err != nil {
		return err
	}

	if err := limits.Refuse(limits.ClientAuth, until, now); err != nil {
		return &Limited{cause: err, Counted: counted}
	}

	return nil
}

func (a *Authenticator) judge(ctx context.Context, app *directory.Application, c Credentials, now time.Time) error {
	if c.Method != PrivateKeyJWT {
		return Authenticate(app, c, now)
	}

	// What only concerns the assertion comes first: it tells nothing about the
	// application, and keeps strangers from making us fetch keys.
	endpoint := a.Issuer + tokenPath
	if problem := c.assertion.problem(now, a.Issuer, endpoint); problem != "" {
		return refuse(oauth.InvalidClient, problem, false)
	}

	invalid := invalidClient(false)
	if c.assertion.names(endpoint) { // said to everybody, so that nobody learns who may
		invalid.Err.Description += "; aud of client_assertion should be the issuer: the token endpoint is accepted" +
			" only where the application is registered with token_endpoint_audience"
	}

	if app == nil || !app.Active || app.Public() || (c.assertion.names(endpoint) && !app.TokenEndpointAudience) {
		return invalid
	}

	set, err := a.keys(ctx, app, c.assertion.kid)
	switch {
	case err != nil: // a good assertion must not be called bad because its keys are away
		return oauth.Unavailable(err)
	case set == nil || !c.assertion.signedBy(set):
		return invalid
	}

	if err := admitted(app); err != nil {
		return err
	}

	return a.useOnce(ctx, c)
}

// keys are the application's own, nil where it has none.
func (a *Authenticator) keys(ctx context.Context, app *directory.Application, kid string) (*KeySet, error) {
	switch {
	case len(app.JWKS) > 0 && string(app.JWKS) != "null":
		return ParseKeySet(app.JWKS)
	case app.JWKSURI != "":
		return a.Keys.Keys(ctx, app, kid)
	default:
		return nil, nil //nolint:nilnil // no keys is an answer, not a failure
	}
}

// useOnce comes last: an assertion that is refused for another reason stays
// unused.
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
