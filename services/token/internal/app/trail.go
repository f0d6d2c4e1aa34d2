package app

import (
	"context"
	"log/slog"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
)

// Trail records decisions in the audit trail. Both fields are required.
type Trail struct {
	Events audit.Trail
	Logger *slog.Logger
}

// record adds an event. A failure is logged but doesn't fail the request.
func (t *Trail) record(ctx context.Context, e audit.Event) {
	audit.RecordOrLog(ctx, t.Events, t.Logger, e)
}

// created records the grant of a redeemed authorization code or device code.
func (t *Trail) created(ctx context.Context, c Caller, g grants.Grant, flow string) {
	event := grantEvent(audit.GrantCreated, c, &g)
	event.Detail = map[string]string{"scope": g.Scope.String(), "flow": flow}
	if g.Resource != "" {
		event.Detail["resource"] = g.Resource
	}
	if g.Offline {
		event.Detail["offline"] = "true"
	}

	t.record(ctx, event)
}

// grantEvent returns an event about a grant.
func grantEvent(kind audit.Kind, c Caller, g *grants.Grant) audit.Event {
	return audit.Event{
		Kind:      kind,
		ClientID:  g.ClientID,
		GrantID:   g.ID,
		UserID:    g.UserID,
		TenantID:  g.TenantID,
		SessionID: g.SessionID,
		Address:   c.Address.String(),
	}
}
