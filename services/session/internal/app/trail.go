package app

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Journal writes to the audit trail what happens in browsers.
type Journal struct {
	Trail    audit.Trail
	Refusals audit.Trail // for events that an attacker can cause at will
	// PseudonymKey keys the pseudonyms of e-mail addresses.
	PseudonymKey []byte
	Logger       *slog.Logger
}

// record adds an event to the audit trail. A failure is logged but doesn't fail the
// request.
func (j *Journal) record(ctx context.Context, b Browser, e audit.Event) { j.tell(ctx, j.Trail, b, e) }

func (j *Journal) tell(ctx context.Context, trail audit.Trail, b Browser, e audit.Event) {
	if b.Address.IsValid() {
		e.Address = b.Address.String()
	}

	e.Reference = b.Reference
	audit.RecordOrLog(ctx, trail, j.Logger, e)
}

// Refused records that a form or flow was refused because it belongs to another browser.
func (j *Journal) Refused(ctx context.Context, b Browser, reason string) {
	j.tell(ctx, j.Refusals, b, audit.Event{Kind: audit.FormRefused, Detail: map[string]string{"error": reason}})
}

// failed records a wrong password for a typed address.
func (j *Journal) failed(ctx context.Context, b Browser, email string) {
	j.record(ctx, b, audit.Event{Kind: audit.SignInFailed, Account: j.pseudonym(email)})
}

// blocked records that an attempt came too soon after wrong passwords.
func (j *Journal) blocked(ctx context.Context, b Browser, email string) {
	j.tell(ctx, j.Refusals, b, audit.Event{Kind: audit.SignInBlocked, Account: j.pseudonym(email)})
}

// created records a new session in the audit trail. The event includes the expiry time, since
// expiring writes no event.
func (j *Journal) created(ctx context.Context, v *Visit, s *sessions.Session) {
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

	j.record(ctx, v.Browser, event)
}

// replaced records the browser's sessions that s replaced.
func (j *Journal) replaced(ctx context.Context, v *Visit, s *sessions.Session, ended []*sessions.Session) {
	for _, old := range ended {
		event := about(audit.SessionReplaced, v, old)
		event.Detail = map[string]string{"by": audit.ByPerson, "why": "signed_in", "successor": s.ID}
		j.record(ctx, v.Browser, event)
	}
}

// pseudonym returns the name under which a typed e-mail address appears in the audit trail.
func (j *Journal) pseudonym(address string) string { return audit.Pseudonym(j.PseudonymKey, address) }

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
