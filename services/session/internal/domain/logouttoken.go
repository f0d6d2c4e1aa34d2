package domain

import "time"

// logoutTokenLifetime is the maximum that the specification recommends. It suffices since
// the token is signed when it is sent.
const logoutTokenLifetime = 2 * time.Minute

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// LogoutToken holds the claims of OpenID Connect Back-Channel Logout 1.0 2.4. It has no
// nonce, which is prohibited so that a logout token can't pass for an ID token.
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

// NewLogoutToken returns the claims that say that a person's session has ended or, if
// sessionID is empty, that all of the person's sessions at the application have. The id
// must be new for each attempt, since an application may remember the ids it has seen.
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
