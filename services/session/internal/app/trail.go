package app

import (
	"context"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// created tells the trail of a new session, and of those of the same browser whose
// place it took. When it is going to expire is said now: nothing happens then.
func (a *App) created(ctx context.Context, v *Visit, s *sessions.Session, ends []string) {
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

	for _, ended := range ends {
		a.record(ctx, v.Browser, audit.Event{
			Kind:      audit.SessionReplaced,
			SessionID: ended,
			ClientID:  v.Request.ClientID,
			Detail:    map[string]string{"by": audit.ByPerson, "why": "signed_in", "successor": s.ID},
		})
	}
}

// about makes an event of a session in a flow.
func about(kind audit.Kind, v *Visit, s *sessions.Session) audit.Event {
	return audit.Event{
		Kind:      kind,
		UserID:    s.UserID,
		TenantID:  s.TenantID,
		SessionID: s.ID,
		ClientID:  v.Request.ClientID,
	}
}

// ended is the detail of a session's end.
func ended(by, why string) map[string]string { return map[string]string{"by": by, "why": why} }

// pseudonym names an address that was typed, in the trail.
func (a *App) pseudonym(address string) string { return audit.Pseudonym(a.PseudonymKey, address) }
