package metrics

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/platform-oauth/platform-oauth/libs/audit"
)

// results maps kinds of audit events to values of the attribute result.
var results = map[audit.Kind]string{
	audit.SignedIn:      "signed_in",
	audit.SignInFailed:  "failed",
	audit.SignInBlocked: "blocked",
}

var _ audit.Trail = (*SignIns)(nil)

// SignIns implements the counter platform.session.sign_ins. It wraps the audit trail, which
// receives every sign-in.
type SignIns struct {
	trail   audit.Trail
	signIns metric.Int64Counter
	sets    map[audit.Kind][]metric.AddOption
}

// NewSignIns returns a SignIns that counts events and passes them on to trail.
func NewSignIns(provider metric.MeterProvider, trail audit.Trail) (*SignIns, error) {
	signIns, err := provider.Meter(scopeName).Int64Counter("platform.session.sign_ins",
		metric.WithUnit("{sign_in}"),
		metric.WithDescription("Sign-in attempts, by result (signed_in, failed, or blocked because of earlier failures)."))
	if err != nil {
		return nil, fmt.Errorf("make the counter of sign-ins: %w", err)
	}

	s := &SignIns{trail: trail, signIns: signIns, sets: map[audit.Kind][]metric.AddOption{}}
	for kind, result := range results {
		s.sets[kind] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("result", result)))}
	}

	return s, nil
}

// Record implements audit.Trail.
func (s *SignIns) Record(ctx context.Context, e audit.Event) error {
	if set, ok := s.sets[e.Kind]; ok {
		s.signIns.Add(ctx, 1, set...)
	}
	return s.trail.Record(ctx, e)
}
