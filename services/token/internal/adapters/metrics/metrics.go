// Package metrics counts tokens by grant and outcome with OpenTelemetry.
package metrics

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

const scopeName = "github.com/platform-oauth/platform-oauth/services/token"

// outcomes lists the values of the attribute outcome. The empty one is success.
var outcomes = []oauth.Code{
	"", oauth.InvalidRequest, oauth.InvalidClient, oauth.InvalidGrant, oauth.UnauthorizedClient,
	oauth.UnsupportedGrantType,
	oauth.InvalidScope, oauth.InvalidTarget, oauth.AccessDenied, oauth.AuthorizationPending,
	oauth.SlowDown, oauth.ExpiredToken,
	oauth.TooManyRequests, oauth.TemporarilyUnavailable, oauth.ServerError,
}

var _ ports.Observer = (*Counter)(nil)

// Counter implements the counter platform.token.requests. It creates its attribute sets
// once, so that counting doesn't allocate. The empty grant stands for types that aren't served.
type Counter struct {
	requests metric.Int64Counter
	sets     map[key][]metric.AddOption
}

type key struct {
	grant   oauth.GrantType
	outcome oauth.Code
}

// New returns a Counter.
func New(provider metric.MeterProvider) (*Counter, error) {
	requests, err := provider.Meter(scopeName).Int64Counter("platform.token.requests",
		metric.WithUnit("{request}"),
		metric.WithDescription("Token requests, by grant and outcome (issued, or the error code)."))
	if err != nil {
		return nil, fmt.Errorf("make the token counter: %w", err)
	}

	c := &Counter{requests: requests, sets: map[key][]metric.AddOption{}}
	c.name("", "unsupported")
	for _, grant := range oauth.GrantTypes() {
		c.name(grant, grant.Name())
	}

	return c, nil
}

// name creates the attribute sets of a grant type, whose attribute grant is a short name and never
// what a client sent.
func (c *Counter) name(grant oauth.GrantType, name string) {
	for _, outcome := range outcomes {
		label := string(outcome)
		if label == "" {
			label = "issued"
		}
		set := attribute.NewSet(attribute.String("grant", name), attribute.String("outcome", label))
		c.sets[key{grant, outcome}] = []metric.AddOption{metric.WithAttributeSet(set)}
	}
}

// Answered implements ports.Observer.
func (c *Counter) Answered(ctx context.Context, grant oauth.GrantType, outcome oauth.Code) {
	options, ok := c.sets[key{grant, outcome}]
	if !ok {
		options = c.sets[key{"", oauth.ServerError}]
	}
	c.requests.Add(ctx, 1, options...)
}
