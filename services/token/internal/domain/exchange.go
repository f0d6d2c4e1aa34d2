package domain

import (
	"encoding/json"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Values of token_type (RFC 6749 7.1, RFC 8693 2.2.1).
const (
	Bearer           = "Bearer"
	NotAnAccessToken = "N_A"
)

// maxActors limits the chain in act, and with it the length of tokens that are exchanged
// repeatedly.
const maxActors = 8

// Actor is the act claim (RFC 8693 4.1): the party that acts for the token's subject and,
// nested in it, the one that did before.
type Actor struct {
	Subject string `json:"sub"`
	// ClientID is the application that exchanged the token, if that isn't the subject itself.
	ClientID string `json:"client_id,omitempty"`
	Actor    *Actor `json:"act,omitempty"`
}

// Delegate puts the exchanging application in front of the previous actors. subject is the
// subject of its actor token, or empty if it sent none. ok is false if the chain grows too
// long.
func Delegate(clientID, subject string, before *Actor) (actor *Actor, ok bool) {
	actor = &Actor{Subject: clientID, Actor: before}
	if subject != "" && subject != clientID {
		actor.Subject, actor.ClientID = subject, clientID
	}

	n := 0
	for a := actor; a != nil; a = a.Actor {
		n++
	}
	return actor, n <= maxActors
}

// MayAct reports whether the may_act claim of a subject token lets the actor act for its
// subject (RFC 8693 4.4). Without the claim, every actor that passes the other rules may. A
// claim that names no actor, or that can't be read, allows none.
func MayAct(claim json.RawMessage, issuer, clientID string, actor *Actor) bool {
	if len(claim) == 0 || string(claim) == "null" {
		return true
	}

	var may struct {
		Issuer   *string `json:"iss"`
		Subject  *string `json:"sub"`
		ClientID *string `json:"client_id"`
	}
	if json.Unmarshal(claim, &may) != nil || (may.Subject == nil && may.ClientID == nil) {
		return false
	}

	is := func(want *string, value string) bool { return want == nil || *want == value }
	return is(may.Issuer, issuer) && is(may.Subject, actor.Subject) && is(may.ClientID, clientID)
}

// ExchangedScope returns the scope of an exchanged token (RFC 8693 2.1): the requested
// scope, or as much as possible if none is requested, but never more than the subject token
// (held) and the application have. offline_access is left out, since an exchange yields no
// refresh token.
func ExchangedScope(app *directory.Application, held oauth.Scopes, requested string) (oauth.Scopes, error) {
	asked, ok := oauth.ParseScopes(requested)
	if !ok {
		return nil, oauth.Errorf(oauth.InvalidScope, "scope is malformed")
	}

	most := held.Only(app.Scopes).Without(oauth.ScopeOfflineAccess)
	scope := most
	if len(asked) > 0 {
		scope = asked.Without(oauth.ScopeOfflineAccess)
	}

	switch {
	case !most.Contains(scope...):
		return nil, oauth.Errorf(oauth.InvalidScope,
			"a requested scope is not one of the subject token's, or not for this application")
	case len(scope) == 0 && len(held)+len(asked) > 0:
		return nil, oauth.Errorf(oauth.InvalidScope, "the subject token has no scope that this application may have")
	}

	return scope, nil
}
