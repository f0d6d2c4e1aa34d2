package signing

import (
	"context"
	"encoding/json"
	"fmt"
)

// Hint is what an id_token_hint says: an ID token that an application presents to name a person
// or a session (OpenID Connect Core 3.1.2.1, RP-Initiated Logout 1.0 2).
type Hint struct {
	Subject         string
	Audience        Audience
	AuthorizedParty string // empty: there is no azp
	SessionID       string // empty: there is no sid
}

// For reports whether the ID token names a person to a client.
func (h *Hint) For(clientID string) bool {
	return h.Subject != "" && h.Audience.Has(clientID)
}

// Client returns the client that the ID token was issued to, or "" if it names none.
func (h *Hint) Client() string {
	if h.AuthorizedParty != "" || len(h.Audience) == 0 {
		return h.AuthorizedParty
	}
	return h.Audience[0]
}

// Read checks that token is an ID token of the issuer, of any age, and returns what it says. It
// returns ErrInvalid if it isn't. Any other error means that there are no keys to check it with
// or that they didn't become available before ctx ended.
func (h *Hints) Read(ctx context.Context, token, issuer string) (*Hint, error) {
	payload, err := h.Verify(ctx, token, TypeJWT) // an access token isn't accepted as a hint
	if err != nil {
		return nil, fmt.Errorf("check a hint: %w", err)
	}

	var claims struct {
		Issuer          string   `json:"iss"`
		Subject         string   `json:"sub"`
		Audience        Audience `json:"aud"`
		AuthorizedParty string   `json:"azp"`
		SessionID       string   `json:"sid"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Issuer != issuer || len(claims.Audience) == 0 {
		return nil, ErrInvalid
	}

	return &Hint{
		Subject:         claims.Subject,
		Audience:        claims.Audience,
		AuthorizedParty: claims.AuthorizedParty,
		SessionID:       claims.SessionID,
	}, nil
}
