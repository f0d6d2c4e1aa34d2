package app

import (
	"context"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// created records a new session in the audit trail. The event includes the expiry time, since
// expiring writes no event.
func (a *App) created(ctx context.Context, v *Visit, s *sessions.Session) {
	event := audit.Event{
		Kind:      audit.SessionCreated,
		UserID:    s.UserID,
		TenantID:  s.TenantID,
		SessionID: s.ID,
		ClientID:  v.Request.ClientID,
	}

	event.Detail = map[string]string{
		"acr":        s.ACR,
		"amr":        strings.Join(s.AMR, " "),
		"expires_at": s.ExpiresAt.UTC().Format(time.RFC3339),
	}

	a.record(ctx, v.Browser, event)
}

// replaced records the browser's sessions that s replaced.
func (a *App) replaced(ctx context.Context, v *Visit, s *sessions.Session, ended []*sessions.Session) {
	for _, old := range ended {
		event := about(audit.SessionReplaced, v, old)
		event.Detail = map[string]string{"by": audit.ByPerson, "why": "signed_in", "successor": s.ID}
		a.record(ctx, v.Browser, event)
	}
}

// about returns an event about a session in a flow.
func about(kind audit.Kind, v *Visit, s *sessions.Session) audit.Event {
	return audit.Event{
		Kind:      kind,
		UserID:    s.UserID,
		TenantID:  s.TenantID,
		SessionID: s.ID,
		ClientID:  v.Request.ClientID,
	}
}

// ended returns the detail of the event that a session ended.
func ended(by, why string) map[string]string { return map[string]string{"by": by, "why": why} }

// pseudonym returns the name under which a typed e-mail address appears in the audit trail.
func (a *App) pseudonym(address string) string { return audit.Pseudonym(a.PseudonymKey, address) }
