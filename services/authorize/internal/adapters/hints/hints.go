// Package hints reads id_token_hint with the platform's published keys.
package hints

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/ports"
)

// Verifier is the part of signing.Hints that this package uses.
type Verifier interface {
	Verify(ctx context.Context, token string, types ...string) (payload []byte, err error)
	Ready() error
}

// Hints checks hints of one issuer.
type Hints struct {
	Keys   Verifier
	Issuer string
}

var _ ports.Hints = (*Hints)(nil)

// Subject implements ports.Hints. OpenID Connect Core 3.1.2.2 requires the issuer to be
// checked and allows a hint of any age.
func (h *Hints) Subject(ctx context.Context, token, clientID string) (string, error) {
	payload, err := h.Keys.Verify(ctx, token, signing.TypeJWT) // an access token isn't accepted as a hint
	if errors.Is(err, signing.ErrInvalid) {
		if notReady := h.Keys.Ready(); notReady != nil {
			return "", fmt.Errorf("no keys to check a hint with: %w", notReady)
		}
		return "", ports.ErrInvalidHint
	}

	if err != nil {
		return "", fmt.Errorf("check a hint: %w", err)
	}

	var claims struct {
		Issuer   string           `json:"iss"`
		Subject  string           `json:"sub"`
		Audience signing.Audience `json:"aud"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", ports.ErrInvalidHint
	}

	if claims.Issuer != h.Issuer || claims.Subject == "" || !claims.Audience.Has(clientID) {
		return "", ports.ErrInvalidHint
	}

	return claims.Subject, nil
}
