package app

import (
	"context"
	"log/slog"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

// Trail tells the audit trail what was decided. Both fields are needed.
type Trail struct {
	Events ports.Trail
	Logger *slog.Logger
}

// record adds an event. A trail that cannot be written stops nobody: the log says
// so.
func (t *Trail) record(ctx context.Context, e audit.Event) {
	if err := t.Events.Record(ctx, e); err != nil {
		t.Logger.ErrorContext(ctx, "could not write the audit trail", "kind", e.Kind, "client_id", e.ClientID,
			"grant_id", e.GrantID, "error", err)
	}
}

// created tells of a grant that an application redeemed, by a code or a device.
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

// grantEvent is an event about a grant.
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
