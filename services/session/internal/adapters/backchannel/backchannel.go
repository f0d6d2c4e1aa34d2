// Package backchannel posts logout tokens to applications (OpenID Connect
// Back-Channel Logout 1.0 2.5) through the guarded outbound client.
package backchannel

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/platform-oauth/platform-oauth/libs/outbound"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

var _ ports.LogoutSender = (*Sender)(nil)

// Sender implements ports.LogoutSender.
type Sender struct{ client *outbound.Client }

// New returns a Sender that uses client.
func New(client *outbound.Client) *Sender { return &Sender{client: client} }

// Send posts the token. Every successful status is accepted: the specification asks for 200
// but notes that some frameworks answer 204 (2.8).
func (s *Sender) Send(ctx context.Context, uri, token string) (ports.LogoutOutcome, error) {
	status, err := s.client.PostForm(ctx, uri, url.Values{"logout_token": {token}})
	switch {
	case errors.Is(err, outbound.ErrRefused):
		return ports.LogoutRefused, err
	case errors.Is(err, outbound.ErrAnswer):
		return ports.LogoutRejected, err
	case err != nil:
		return ports.LogoutUnreachable, err
	case status < 200 || status > 299:
		return ports.LogoutRejected, fmt.Errorf("the application answered with status %d", status)
	default:
		return ports.LogoutDelivered, nil
	}
}
