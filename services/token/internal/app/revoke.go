package app

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// TokenRequest is a request to revoke (RFC 7009 2.1) or introspect (RFC 7662 2.1) a token.
// It has no token_type_hint, since a token's type is apparent from its form.
type TokenRequest struct {
	Caller
	Token string
}

// Revoker revokes tokens at the request of their client (RFC 7009). Every field is
// required.
type Revoker struct {
	Clients     *Clients
	Tokens      *Tokens
	Revocations *grantstore.ForToken
	Trail       *Trail
}

// Revoke revokes the token. For a refresh token it revokes the whole grant; for an access
// token, or a jwt from an exchange, it revokes only that token. A token that is unknown,
// expired or another client's is no error and nothing happens (RFC 7009 2.2), so that the
// caller doesn't learn whether it exists. Revoke returns an *oauth.Error or an error of the
// ports.
func (r *Revoker) Revoke(ctx context.Context, request TokenRequest) error {
	now := r.Tokens.Now()
	app, err := r.Clients.authenticate(ctx, request.Caller)
	switch {
	case err != nil:
		return err
	case request.Token == "":
		return errTokenMissing()
	case isJWT(request.Token):
		return r.revokeJWT(ctx, request, app.ClientID)
	}

	ended, err := r.Revocations.RevokeFamily(ctx, oauth.HashSecret(request.Token), app.ClientID, now)
	if err != nil || ended == nil {
		return err
	}

	event := grantEvent(audit.FamilyRevoked, request.Caller, ended)
	event.Detail = map[string]string{"reason": "revocation"}
	r.Trail.record(ctx, event)
	return nil
}

func (r *Revoker) revokeJWT(ctx context.Context, request TokenRequest, clientID string) error {
	claims, _, err := r.Tokens.verifyBearer(ctx, request.Token)
	switch {
	case dead(err):
		return r.refuseIDToken(ctx, request.Token, clientID)
	case err != nil:
		return err
	case claims.ClientID != clientID || claims.ID == "":
		return nil
	}

	// The clocks of replicas differ by less than the skew. Adding it keeps the row until the
	// token has expired for all of them.
	if err := r.Revocations.RevokeToken(ctx, claims.ID,
		time.Unix(claims.ExpiresAt, 0).UTC().Add(clockSkew)); err != nil {
		return err
	}

	r.Trail.record(ctx, grantEvent(audit.TokenRevoked, request.Caller, &grants.Grant{
		ID:        claims.GrantID,
		ClientID:  clientID,
		UserID:    claims.Person(),
		TenantID:  claims.TenantID,
		SessionID: claims.SessionID,
	}))

	return nil
}

// refuseIDToken tells a client that its ID token can't be revoked (RFC 7009 2.2.1).
// Otherwise the client would believe that something had been revoked.
func (r *Revoker) refuseIDToken(ctx context.Context, token, clientID string) error {
	payload, err := r.Tokens.Verifier.Verify(ctx, token, signing.TypeJWT)
	switch {
	case errors.Is(err, signing.ErrInvalid):
		return nil
	case err != nil:
		return oauth.Unavailable(err)
	}

	var claims struct {
		Audience signing.Audience `json:"aud"`
	}
	if json.Unmarshal(payload, &claims) == nil && claims.Audience.Has(clientID) {
		return oauth.Errorf(oauth.UnsupportedTokenType, "only access tokens and refresh tokens can be revoked")
	}

	return nil
}

func errTokenMissing() error { return oauth.Errorf(oauth.InvalidRequest, "token is missing") }

// isJWT reports whether token is a JWT (RFC 7519 3) rather than a refresh token, which
// contains no dots.
func isJWT(token string) bool { return strings.Count(token, ".") == 2 }
