package app

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
)

// Exchange holds the parameters of a token exchange (RFC 8693 2.1). Absent parameters are
// empty.
type Exchange struct {
	SubjectToken       string
	SubjectTokenType   oauth.TokenType
	ActorToken         string
	ActorTokenType     oauth.TokenType
	RequestedTokenType oauth.TokenType
}

// exchanged is what an exchange adds to an authorization.
type exchanged struct {
	issued   oauth.TokenType
	notAfter time.Time // when the subject token expires
	actor    *domain.Actor
	mayAct   json.RawMessage  // claim of the subject token, for the next exchange
	from     []string         // the subject token and the tokens it was exchanged from
	allowed  signing.Audience // the resources of the subject token and of its grant
}

// tokenExchange implements the grant of RFC 8693. It writes to no table: the tokens it
// issues belong to the subject token's grant and end with that grant or with the subject
// token.
type tokenExchange struct {
	tokens *Tokens
	trail  *Trail
}

func errSubject() error {
	return oauth.Errorf(oauth.InvalidRequest,
		"the subject token is malformed, expired, revoked, or not for this application to exchange")
}

func errActor() error {
	return oauth.Errorf(oauth.InvalidRequest,
		"the actor token is malformed, expired, revoked, or not this application's own")
}

// prepare checks the presented tokens, the subject first. The subject doesn't change:
// person, tenant, grant and sign-in come from the subject token.
func (g *tokenExchange) prepare(ctx context.Context, c *call) (*authorization, error) {
	if c.app.Public() {
		return nil, oauth.Errorf(oauth.UnauthorizedClient, "a public application cannot exchange tokens")
	}

	if err := c.Exchange.check(); err != nil {
		return nil, err
	}

	subject, standing, err := g.subject(ctx, c)
	if err != nil {
		return nil, err
	}

	actor, err := g.actor(ctx, c, subject)
	if err != nil {
		return nil, err
	}

	held, _ := oauth.ParseScopes(subject.Scope) // we wrote it, so it parses
	scope, err := domain.ExchangedScope(c.app, held, c.Scope)
	if err != nil {
		return nil, err
	}

	a := &authorization{
		subject:   subject.Subject,
		scope:     scope,
		requested: slices.Concat(c.Resources, c.Audiences),
		grantID:   subject.GrantID,
		exchanged: &exchanged{
			issued:   c.Exchange.RequestedTokenType,
			notAfter: time.Unix(subject.ExpiresAt, 0).UTC(),
			actor:    actor,
			mayAct:   subject.MayAct,
			from:     subject.Lineage(),
			allowed:  subject.Audience,
		},
	}
	if a.exchanged.issued == "" {
		a.exchanged.issued = oauth.TokenTypeAccessToken
	}

	if standing != nil {
		a.exchanged.allowed = append(slices.Clone(subject.Audience), standing.Grant.Resource)
		a.person = &person{
			user:      standing.User,
			tenant:    standing.Tenant,
			sessionID: subject.SessionID,
			authTime:  instant(subject.AuthTime),
			acr:       subject.ACR,
			amr:       subject.AMR,
		}
	}

	return a, nil
}

// check checks only the parameters (RFC 8693 2.1).
func (e *Exchange) check() error {
	readable := []oauth.TokenType{oauth.TokenTypeAccessToken, oauth.TokenTypeJWT, oauth.TokenTypeIDToken}
	issuable := []oauth.TokenType{"", oauth.TokenTypeAccessToken, oauth.TokenTypeJWT}
	var missing []string
	for _, p := range []struct {
		name   string
		absent bool
	}{
		{"subject_token", e.SubjectToken == ""},
		{"subject_token_type", e.SubjectTokenType == ""},
		{"actor_token", e.ActorToken == "" && e.ActorTokenType != ""},
		{"actor_token_type", e.ActorToken != "" && e.ActorTokenType == ""},
	} {
		if p.absent {
			missing = append(missing, p.name)
		}
	}

	switch {
	case len(missing) > 0:
		return oauth.Errorf(oauth.InvalidRequest, "missing: %s", strings.Join(missing, ", "))
	case !slices.Contains(readable, e.SubjectTokenType):
		return oauth.Errorf(oauth.InvalidRequest,
			"the subject_token_type is not supported: access_token, jwt and id_token are")
	case e.ActorToken != "" && !slices.Contains(readable, e.ActorTokenType):
		return oauth.Errorf(oauth.InvalidRequest,
			"the actor_token_type is not supported: access_token, jwt and id_token are")
	case !slices.Contains(issuable, e.RequestedTokenType):
		return oauth.Errorf(oauth.InvalidRequest, "the requested_token_type is not supported: access_token and jwt are")
	}

	return nil
}

// subject opens the subject token. An application may exchange its own tokens and those for
// a resource that it serves, since it may act on a token that was sent to it. Introspection
// follows the same rule. The standing is nil if there is no person behind the token.
func (g *tokenExchange) subject(ctx context.Context, c *call) (*domain.AccessToken, *grants.Standing, error) {
	mine := func(claims *domain.AccessToken) bool { return domain.MayIntrospect(c.app, claims, g.tokens.Issuer) }
	claims, standing, err := g.read(ctx, c, c.Exchange.SubjectToken, c.Exchange.SubjectTokenType, mine)
	if dead(err) {
		err = errSubject()
	}
	return claims, standing, err
}

// actor returns the actor from now on: this application, or the subject of the actor token
// that it presents, which must be its own.
func (g *tokenExchange) actor(ctx context.Context, c *call, subject *domain.AccessToken) (*domain.Actor, error) {
	name := ""
	if c.Exchange.ActorToken != "" {
		mine := func(claims *domain.AccessToken) bool { return claims.ClientID == c.app.ClientID }
		claims, _, err := g.read(ctx, c, c.Exchange.ActorToken, c.Exchange.ActorTokenType, mine)
		switch {
		case dead(err):
			return nil, errActor()
		case err != nil:
			return nil, err
		}

		name = claims.Subject
	}

	actor, ok := domain.Delegate(c.app.ClientID, name, subject.Actor)
	switch {
	case !ok:
		return nil, oauth.Errorf(oauth.InvalidRequest, "the subject token was exchanged too often")
	case !domain.MayAct(subject.MayAct, g.tokens.Issuer, c.app.ClientID, actor):
		return nil, oauth.Errorf(oauth.InvalidRequest, "the subject token's may_act names another actor")
	}

	return actor, nil
}

// read opens a presented token of one of the accepted types and checks that it is valid and
// that the application may present it. If the token is at fault, dead reports true for the
// error. A token presented as jwt may be an access token, a token issued by an exchange, or
// an ID token.
func (g *tokenExchange) read(
	ctx context.Context, c *call, token string, kind oauth.TokenType, mine func(*domain.AccessToken) bool,
) (*domain.AccessToken, *grants.Standing, error) {
	types := []string{signing.TypeAccessToken}
	switch kind {
	case oauth.TokenTypeIDToken:
		return g.readIDToken(ctx, c, token)
	case oauth.TokenTypeJWT:
		types = append(types, signing.TypeExchanged)
	}

	claims, err := g.tokens.verifyAs(ctx, token, types...)
	switch {
	case dead(err) && kind == oauth.TokenTypeJWT:
		return g.readIDToken(ctx, c, token)
	case err != nil:
		return nil, nil, err
	case !mine(claims):
		return nil, nil, errToken()
	}

	standing, err := g.honoured(ctx, claims)
	return claims, standing, err
}

// readIDToken reads an ID token, which must be the application's own. An ID token tells the
// client in its aud who a person is, and entitles no other client. Its grant determines
// what it may be exchanged for.
func (g *tokenExchange) readIDToken(
	ctx context.Context, c *call, token string,
) (*domain.AccessToken, *grants.Standing, error) {
	claims, err := g.tokens.verifyAs(ctx, token, signing.TypeJWT)
	switch {
	case err != nil:
		return nil, nil, err
	case !slices.Equal(claims.Audience, signing.Audience{c.app.ClientID}) || claims.GrantID == "":
		return nil, nil, errToken()
	}

	claims.ClientID = c.app.ClientID
	standing, err := g.honoured(ctx, claims)
	switch {
	case err != nil:
		return nil, nil, err
	case standing.Grant.ClientID != c.app.ClientID:
		return nil, nil, errToken()
	}

	claims.Scope = standing.Grant.Scope.String()
	return claims, standing, nil
}

// honoured is like Tokens.honoured but also checks that the token's tenant is its grant's,
// since a grant never changes its tenant.
func (g *tokenExchange) honoured(ctx context.Context, claims *domain.AccessToken) (*grants.Standing, error) {
	standing, err := g.tokens.honoured(ctx, claims)
	if err == nil && standing != nil && standing.Grant.TenantID != claims.TenantID {
		err = errToken()
	}
	return standing, err
}

// mayPassOn refuses to exchange a person's token for one for a resource that the person
// allowed neither the subject token nor this application to use. A first-party application
// has the operator's permission for what is registered for it.
func (s *Issuer) mayPassOn(ctx context.Context, c *call, a *authorization, target string) error {
	if target == "" {
		target = c.app.DefaultAudience
	}

	if target == "" || c.app.FirstParty || a.exchanged.allowed.Has(target) {
		return nil
	}

	allowed, err := s.Consents.Consented(ctx, sessions.ConsentKey{
		UserID:   a.subject,
		TenantID: a.person.tenant.ID,
		ClientID: c.app.ClientID,
		Resource: target,
	})
	switch {
	case err != nil:
		return err
	case len(allowed) == 0 || !allowed.Contains(a.scope...):
		return oauth.Errorf(oauth.InvalidTarget, "the person has not allowed this application to use the resource")
	}

	return nil
}

// commit records the exchange in the audit trail. There is nothing to redeem, since a
// subject token may be exchanged until it expires.
func (g *tokenExchange) commit(ctx context.Context, c *call, i *issue) error {
	event := audit.Event{
		Kind:     audit.TokenExchanged,
		ClientID: c.app.ClientID,
		GrantID:  i.grantID,
		Address:  c.Address.String(),
		Detail: map[string]string{
			"audience": strings.Join(i.audience(c, g.tokens.Issuer), " "),
			"actor":    i.exchanged.actor.Subject,
		},
	}
	if p := i.person; p != nil {
		event.UserID, event.TenantID, event.SessionID = i.subject, p.tenant.ID, p.sessionID
	} else {
		event.Detail["subject"] = i.subject
	}

	g.trail.record(ctx, event)
	return nil
}

// instant returns the time of a numeric claim, or the zero time if the claim is absent.
func instant(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
