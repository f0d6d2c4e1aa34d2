package app

import (
	"context"
	"errors"
	"log/slog"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

// authorizationCode implements the grant of RFC 6749 4.1.3 with PKCE (RFC 7636 4.5).
type authorizationCode struct {
	codes  ports.Codes
	trail  *Trail
	logger *slog.Logger
}

// errCode returns the same error for a code that is unknown, used or another client's.
func errCode() error {
	return oauth.Errorf(oauth.InvalidGrant, "the authorization code is unknown, used, or not for this application")
}

// prepare checks the code. The order of the checks matters: an attacker who holds a stolen
// code but isn't its client, or lacks the verifier, must neither consume it nor revoke
// anything.
func (g *authorizationCode) prepare(ctx context.Context, c *call) (*authorization, error) {
	if err := checkCodeForm(c); err != nil {
		return nil, err
	}

	code, err := g.codes.Redeemable(ctx, oauth.HashSecret(c.Code), c.now)
	switch {
	case errors.Is(err, grants.ErrNotFound):
		return nil, errCode()
	case err != nil:
		return nil, err
	case code.ClientID != c.app.ClientID:
		return nil, errCode()
	}

	if err := checkPKCE(c, code.CodeChallenge); err != nil {
		return nil, err
	}

	switch {
	case code.RedirectURI != c.RedirectURI:
		return nil, oauth.Errorf(oauth.InvalidGrant, "redirect_uri is not the one of the authorization request")
	case !code.ConsumedAt.IsZero():
		return nil, g.replayed(ctx, c, code.GrantID)
	case !c.now.Before(code.ExpiresAt):
		return nil, oauth.Errorf(oauth.InvalidGrant, "the authorization code has expired")
	case !code.Live():
		return nil, oauth.Errorf(oauth.InvalidGrant, "the sign-in behind the authorization code has ended")
	}

	return &authorization{
		subject:   code.UserID,
		scope:     code.Scope,
		resource:  code.Resource,
		requested: c.Resources,
		grantID:   code.GrantID,
		offline:   code.Offline,
		nonce:     code.Nonce,
		person: &person{
			user:      code.User,
			tenant:    code.Tenant,
			sessionID: code.SessionID,
			authTime:  code.AuthTime,
			acr:       code.ACR,
			amr:       code.AMR,
		},
	}, nil
}

// checkCodeForm checks only the parameters. redirect_uri is always part of the
// authorization request, so it is always required here (RFC 6749 4.1.3).
func checkCodeForm(c *call) error {
	switch {
	case c.Code == "":
		return oauth.Errorf(oauth.InvalidRequest, "code is missing")
	case c.RedirectURI == "":
		return oauth.Errorf(oauth.InvalidRequest, "redirect_uri is missing")
	case c.CodeVerifier != "" && !oauth.ValidPKCE(c.CodeVerifier):
		return oauth.Errorf(oauth.InvalidRequest, "code_verifier must be 43 to 128 unreserved characters")
	default:
		return nil
	}
}

// checkPKCE refuses a challenge without a verifier and a verifier without a challenge. Both
// are signs of a code injection attack (RFC 9700 4.8.2).
func checkPKCE(c *call, challenge string) error {
	switch {
	case challenge == "" && c.CodeVerifier != "":
		return oauth.Errorf(oauth.InvalidGrant,
			"code_verifier was sent, but the authorization request had no code_challenge")
	case challenge == "" && c.app.Public():
		return oauth.Errorf(oauth.InvalidGrant,
			"the authorization request had no code_challenge, which this application needs")
	case challenge == "":
		return nil
	case c.CodeVerifier == "":
		return oauth.Errorf(oauth.InvalidGrant, "code_verifier is missing")
	case !oauth.VerifyS256(challenge, c.CodeVerifier):
		return oauth.Errorf(oauth.InvalidGrant, "code_verifier does not match the code_challenge")
	default:
		return nil
	}
}

// commit consumes the code. If another request consumed it since prepare, that is a replay
// like any other.
func (g *authorizationCode) commit(ctx context.Context, c *call, i *issue) error {
	err := g.codes.Redeem(ctx, oauth.HashSecret(c.Code), i.grant(c), i.refreshRow, i.grantExpiresAt(), c.now)
	switch {
	case err == nil:
		g.trail.created(ctx, c.Caller, i.grant(c), "code")
		return nil
	case errors.Is(err, grants.ErrConsumed):
		return g.replayed(ctx, c, i.grantID)
	case errors.Is(err, grants.ErrExpired), errors.Is(err, grants.ErrNotFound), errors.Is(err, grants.ErrRevoked):
		return errCode()
	default:
		return err
	}
}

// replayed revokes everything that the code's first use produced (RFC 6749 4.1.2). If that
// fails, replayed returns the failure, which an invalid_grant would hide.
func (g *authorizationCode) replayed(ctx context.Context, c *call, grantID string) error {
	g.logger.WarnContext(ctx, "an authorization code was used twice; its grant was revoked", "client_id",
		c.app.ClientID, "grant_id", grantID)
	ended, err := g.codes.RevokeGrant(ctx, grantID, c.now)
	if err != nil {
		return err
	}
	if ended {
		g.trail.record(ctx,
			grantEvent(audit.CodeReplayed, c.Caller, &grants.Grant{ID: grantID, ClientID: c.app.ClientID}))
	}
	return errCode()
}

// grant returns the row that the redemption stores.
func (i *issue) grant(c *call) grants.Grant {
	return grants.Grant{
		ID:        i.grantID,
		ClientID:  c.app.ClientID,
		UserID:    i.subject,
		TenantID:  i.person.tenant.ID,
		SessionID: i.person.sessionID,
		Scope:     i.scope,
		Resource:  i.target,
		Offline:   i.offline,
		AuthTime:  i.person.authTime,
		ACR:       i.person.acr,
		AMR:       i.person.amr,
		CreatedAt: c.now,
	}
}
