package domain

import "time"

// TypeLogoutToken is the typ of a logout token's header, so that none passes for
// another token (OpenID Connect Back-Channel Logout 1.0 2.4).
const TypeLogoutToken = "logout+jwt"

// logoutTokenLifetime is what the specification recommends at most: the token is
// signed when it is sent.
const logoutTokenLifetime = 2 * time.Minute

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// LogoutToken is the claims of OpenID Connect Back-Channel Logout 1.0 2.4. It has
// no nonce, which is prohibited, so that none passes for an ID token.
type LogoutToken struct {
	Issuer    string              `json:"iss"`
	Subject   string              `json:"sub"`
	Audience  string              `json:"aud"`
	IssuedAt  int64               `json:"iat"`
	ExpiresAt int64               `json:"exp"`
	ID        string              `json:"jti"`
	SessionID string              `json:"sid,omitempty"`
	Events    map[string]struct{} `json:"events"`
}

// NewLogoutToken says that a person's session has ended or, where sessionID is empty,
// that all of the person's sessions at the application have. id is new for each
// attempt, for an application may remember the ones it has seen.
func NewLogoutToken(issuer, clientID, userID, sessionID, id string, now time.Time) LogoutToken {
	return LogoutToken{
		Issuer:    issuer,
		Subject:   userID,
		Audience:  clientID,
		IssuedAt:  now.Unix(),
		ExpiresAt: now.Add(logoutTokenLifetime).Unix(),
		ID:        id,
		SessionID: sessionID,
		Events:    map[string]struct{}{logoutEvent: {}},
	}
}
