package app

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

// clockSkew is how far ahead of ours the clock of the replica that signed may be.
const clockSkew = 5 * time.Second

// Tokens judges access tokens that come back to us: at userinfo, introspection,
// revocation. Every field is needed.
type Tokens struct {
	Applications ports.Applications
	Standings    ports.Standings
	Verifier     ports.Verifier
	Issuer       string
	Now          func() time.Time
}

func errToken() error {
	return oauth.Errorf(oauth.InvalidToken, "the access token is malformed, expired, revoked, or not for this endpoint")
}

// dead reports whether an error says that a token is not, or no longer, good, as
// opposed to: nobody can tell now.
func dead(err error) bool {
	wire, ok := errors.AsType[*oauth.Error](err)
	return ok && wire.Code == oauth.InvalidToken
}

// verify checks what an access token says by itself (RFC 9068 4).
func (t *Tokens) verify(ctx context.Context, token string) (*domain.AccessToken, error) {
	return t.verifyAs(ctx, token, domain.TypeAccessToken)
}

// verifyAs does so with a token of one of the types. Claims that a type does not
// have are empty.
func (t *Tokens) verifyAs(ctx context.Context, token string, types ...string) (*domain.AccessToken, error) {
	claims, err := t.signed(ctx, token, types...)
	if err != nil {
		return nil, err
	}

	now := t.Now()
	if claims.ExpiresAt <= now.Unix() || claims.NotBefore > now.Add(clockSkew).Unix() {
		return nil, errToken()
	}
	return claims, nil
}

// verifyBearer does so with what may be presented somewhere: an access token, or
// what an exchange has issued as a jwt. kind is its token_type (RFC 8693 2.2.1).
func (t *Tokens) verifyBearer(ctx context.Context, token string) (claims *domain.AccessToken, kind string, err error) {
	if claims, err = t.verify(ctx, token); !dead(err) {
		return claims, domain.Bearer, err
	}
	claims, err = t.verifyAs(ctx, token, domain.TypeExchanged)
	return claims, domain.NotAnAccessToken, err
}

// signed reads a token of one of the types that we have issued, whenever that was.
func (t *Tokens) signed(ctx context.Context, token string, types ...string) (*domain.AccessToken, error) {
	payload, err := t.Verifier.Verify(ctx, token, types...)
	switch {
	case errors.Is(err, signing.ErrInvalid):
		return nil, errToken()
	case err != nil: // a good token must not be called bad because we have no keys
		return nil, oauth.Unavailable(err)
	}

	claims := &domain.AccessToken{}
	if err := json.Unmarshal(payload, claims); err != nil {
		return nil, errToken()
	}

	if claims.Issuer != t.Issuer {
		return nil, errToken()
	}

	return claims, nil
}

// honoured decides whether a token that verify let pass is still good, by one
// read: neither it, nor a token that it was exchanged from, nor its grant was revoked,
// and the application, and the person behind the grant, are still there. The standing is nil where there is no grant:
// an application acted in its own name.
func (t *Tokens) honoured(ctx context.Context, claims *domain.AccessToken) (*grants.Standing, error) {
	if err := t.active(ctx, claims.ClientID); err != nil {
		return nil, err
	}

	if claims.GrantID == "" {
		if claims.Subject != claims.ClientID { // exchanged: the subject is the application that began
			if err := t.active(ctx, claims.Subject); err != nil {
				return nil, err
			}
		}

		revoked, err := t.Standings.TokenRevoked(ctx, claims.Lineage()...)
		if revoked {
			return nil, errToken()
		}

		return nil, err
	}

	standing, err := t.Standings.Standing(ctx, claims.GrantID, claims.Lineage(), t.Now())
	switch {
	case errors.Is(err, grants.ErrNotFound):
		return nil, errToken()
	case err != nil:
		return nil, err
	case !standing.Live() || standing.User.ID != claims.Subject:
		return nil, errToken()
	case standing.Grant.ClientID != claims.ClientID: // exchanged: by the other's leave
		return standing, t.active(ctx, standing.Grant.ClientID)
	}

	return standing, nil
}

func (t *Tokens) active(ctx context.Context, clientID string) error {
	app, err := t.Applications.Application(ctx, clientID)
	switch {
	case errors.Is(err, directory.ErrNotFound):
		return errToken()
	case err != nil:
		return err
	case !app.Active:
		return errToken()
	}

	return nil
}
