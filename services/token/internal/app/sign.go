package app

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
)

// sign signs the tokens of an issue. Any error means that signatures are unavailable at the
// moment.
func (s *Issuer) sign(ctx context.Context, c *call, i *issue) (*Answer, error) {
	claims, err := s.accessClaims(c, i)
	if err != nil {
		return nil, err
	}

	typ := signing.TypeAccessToken
	if i.exchanged != nil && i.exchanged.issued == oauth.TokenTypeJWT {
		typ = signing.TypeExchanged
	}

	access, err := s.Ring.Sign(ctx,
		s.Ring.Choose(accessTokenAlgorithms(c.app.AccessTokenAlg, s.AccessTokenAlg)...), typ, claims)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}

	answer := &Answer{AccessToken: access, ExpiresIn: i.expiresAt.Sub(c.now), Scope: i.scope}
	if i.exchanged != nil {
		answer.IssuedTokenType = i.exchanged.issued
		return answer, nil
	}

	if i.person == nil || !i.scope.Has(oauth.ScopeOpenID) {
		return answer, nil
	}

	alg := s.Ring.Choose(idTokenAlgorithms(c.app.IDTokenAlg, s.IDTokenAlg)...)
	answer.IDToken, err = s.Ring.Sign(ctx, alg, signing.TypeJWT,
		s.idClaims(c, i, domain.AccessTokenHash(alg, access)))
	if err != nil {
		return nil, oauth.Unavailable(err)
	}

	return answer, nil
}

// accessTokenAlgorithms returns the algorithms that an access token may be signed with,
// best first: the application's own, then the platform's. While those aren't in use yet, it
// falls back to the likely previous ones, cheapest first.
func accessTokenAlgorithms(own string, platform signing.Algorithm) []signing.Algorithm {
	return algorithms(own, platform, signing.ES256, signing.EdDSA, signing.RS256)
}

// idTokenAlgorithms is the same for ID tokens. It falls back to RS256, which every OpenID
// Connect client understands (Core 15.1).
func idTokenAlgorithms(own string, platform signing.Algorithm) []signing.Algorithm {
	return algorithms(own, platform, signing.RS256)
}

func algorithms(own string, others ...signing.Algorithm) []signing.Algorithm {
	if own == "" {
		return others
	}
	return append([]signing.Algorithm{signing.Algorithm(own)}, others...)
}

func (s *Issuer) accessClaims(c *call, i *issue) (*domain.AccessToken, error) {
	id, err := oauth.NewID("", s.Random)
	if err != nil {
		return nil, err
	}

	claims := &domain.AccessToken{
		Issuer:        s.Issuer,
		Subject:       i.subject,
		Audience:      i.audience(c, s.Issuer),
		ExpiresAt:     i.expiresAt.Unix(),
		IssuedAt:      c.now.Unix(),
		ID:            id,
		GrantID:       i.grantID,
		ClientID:      c.app.ClientID,
		Scope:         i.scope.String(),
		AppScope:      string(c.app.ScopeLevel),
		PlatformToken: i.person == nil,
	}
	if p := i.person; p != nil {
		claims.AuthTime, claims.ACR, claims.AMR, claims.SessionID = seconds(p.authTime), p.acr, p.amr, p.sessionID
		claims.TenantID, claims.TenantSlug = p.tenant.ID, p.tenant.Slug
	}

	if e := i.exchanged; e != nil {
		claims.Actor, claims.MayAct, claims.ExchangedFrom = e.actor, e.mayAct, e.from
	}

	return claims, nil
}

// audience returns the audience of the access token. An exchanged token is for one resource
// only and doesn't give access to userinfo as well.
func (i *issue) audience(c *call, issuer string) signing.Audience {
	if i.exchanged != nil {
		return domain.AudienceOf(c.app, i.target, issuer, nil)
	}
	return domain.AudienceOf(c.app, i.target, issuer, i.scope)
}

func (s *Issuer) idClaims(c *call, i *issue, accessTokenHash string) *domain.IDToken {
	p := i.person
	claims := &domain.IDToken{
		Issuer:          s.Issuer,
		Subject:         i.subject,
		Audience:        signing.Audience{c.app.ClientID},
		AuthorizedParty: c.app.ClientID,
		ExpiresAt:       i.expiresAt.Unix(),
		IssuedAt:        c.now.Unix(),
		AuthTime:        seconds(p.authTime),
		Nonce:           i.nonce,
		AccessTokenHash: accessTokenHash,
		SessionID:       p.sessionID,
		GrantID:         i.grantID,
		ACR:             p.acr,
		AMR:             p.amr,
		TenantID:        p.tenant.ID,
		TenantSlug:      p.tenant.Slug,
	}
	if c.app.IDTokenClaims {
		claims.Person = domain.PersonClaims(&p.user, i.scope)
	}

	return claims
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
