package app

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

// TokenRequest is a request about a token: for its revocation (RFC 7009 2.1) or
// introspection (RFC 7662 2.1). token_type_hint is not in it: a token tells its
// type by its form.
type TokenRequest struct {
	Caller
	Token string
}

// Revoker ends tokens at their client's wish (RFC 7009). Every field is needed.
type Revoker struct {
	Clients     *Clients
	Tokens      *Tokens
	Revocations ports.Revocations
	Trail       *Trail
}

// Revoke ends the token: of a refresh token the whole grant, of an access token,
// or a jwt of an exchange, that one alone. A token that is unknown, over or another client's is no error,
// and nothing happens (RFC 7009 2.2): nobody learns whether it exists. Errors are
// *oauth.Error and what the ports answer.
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

	// Replicas' clocks differ by less than the skew, which keeps the row until the
	// token is over for all of them.
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

// refuseIDToken tells a client that its ID token cannot be revoked (RFC 7009
// 2.2.1): it would otherwise believe that something had ended.
func (r *Revoker) refuseIDToken(ctx context.Context, token, clientID string) error {
	payload, err := r.Tokens.Verifier.Verify(ctx, token, domain.TypeIDToken)
	switch {
	case errors.Is(err, signing.ErrInvalid):
		return nil
	case err != nil:
		return oauth.Unavailable(err)
	}

	var claims struct {
		Audience domain.Audience `json:"aud"`
	}
	if json.Unmarshal(payload, &claims) == nil && claims.Audience.Has(clientID) {
		return oauth.Errorf(oauth.UnsupportedTokenType, "only access tokens and refresh tokens can be revoked")
	}

	return nil
}

func errTokenMissing() error { return oauth.Errorf(oauth.InvalidRequest, "token is missing") }

// isJWT tells a JWT (RFC 7519 3) from a refresh token, which holds no dot.
func isJWT(token string) bool { return strings.Count(token, ".") == 2 }
