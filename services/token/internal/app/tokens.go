package app

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
)

// clockSkew is how far the clock of the replica that signed may be ahead of ours.
const clockSkew = 5 * time.Second

// Tokens checks access tokens that are presented to us, at userinfo, introspection and
// revocation. Every field is required.
type Tokens struct {
	Applications *appcache.Cache
	Standings    *grantstore.ForToken
	Verifier     *signing.Ring
	Issuer       string
	Now          func() time.Time
}

func errToken() error {
	return oauth.Errorf(oauth.InvalidToken, "the access token is malformed, expired, revoked, or not for this endpoint")
}

// dead reports whether an error says that a token isn't, or is no longer, valid, as opposed
// to saying that the check itself failed.
func dead(err error) bool {
	wire, ok := errors.AsType[*oauth.Error](err)
	return ok && wire.Code == oauth.InvalidToken
}

// verify checks what can be checked with the access token alone (RFC 9068 4).
func (t *Tokens) verify(ctx context.Context, token string) (*domain.AccessToken, error) {
	return t.verifyAs(ctx, token, signing.TypeAccessToken)
}

// verifyAs is like verify but for tokens of the given types. Claims that a type doesn't
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

// verifyBearer is like verify but also accepts what an exchange issued as a jwt. kind is
// the token_type (RFC 8693 2.2.1).
func (t *Tokens) verifyBearer(ctx context.Context, token string) (claims *domain.AccessToken, kind string, err error) {
	if claims, err = t.verify(ctx, token); !dead(err) {
		return claims, domain.Bearer, err
	}
	claims, err = t.verifyAs(ctx, token, signing.TypeExchanged)
	return claims, domain.NotAnAccessToken, err
}

// signed reads a token of one of the types that we have issued, regardless of its age.
func (t *Tokens) signed(ctx context.Context, token string, types ...string) (*domain.AccessToken, error) {
	payload, err := t.Verifier.Verify(ctx, token, types...)
	switch {
	case errors.Is(err, signing.ErrInvalid):
		return nil, errToken()
	case err != nil: // without keys, a good token must not be called invalid
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

// honoured checks, with one read, whether a token that passed verify is still good: neither
// the token, nor a token that it was exchanged from, nor its grant was revoked, and the
// application and the person behind the grant still exist. The standing is nil if there is
// no grant because an application acted in its own name.
func (t *Tokens) honoured(ctx context.Context, claims *domain.AccessToken) (*grants.Standing, error) {
	if err := t.active(ctx, claims.ClientID); err != nil {
		return nil, err
	}

	if claims.GrantID == "" {
		if claims.Subject != claims.ClientID { // exchanged: the subject is the first application
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
	case standing.Grant.ClientID != claims.ClientID: // exchanged with the other application's permission
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
