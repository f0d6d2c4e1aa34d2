package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/ports"
)

// RecordedCodes records in the audit trail every code that Codes stores. A failure to
// record is logged but doesn't hold back the code.
type RecordedCodes struct {
	ports.Codes
	Trail  ports.Trail
	Logger *slog.Logger
}

// Issue implements ports.Codes. The session answered the request without a page.
func (r RecordedCodes) Issue(ctx context.Context, code *grants.AuthorizationCode) error {
	err := r.Codes.Issue(ctx, code)
	if err == nil {
		r.record(ctx, code, "silent")
	}
	return err
}

// IssueFromRequest implements ports.Codes. The person saw at least one page.
func (r RecordedCodes) IssueFromRequest(ctx context.Context, code *grants.AuthorizationCode, now time.Time) error {
	err := r.Codes.IssueFromRequest(ctx, code, now)
	if err == nil {
		r.record(ctx, code, "pages")
	}
	return err
}

func (r RecordedCodes) record(ctx context.Context, code *grants.AuthorizationCode, how string) {
	event := audit.Event{
		Kind:      audit.CodeIssued,
		UserID:    code.UserID,
		ClientID:  code.ClientID,
		TenantID:  code.TenantID,
		SessionID: code.SessionID,
		GrantID:   code.GrantID,
		Detail:    map[string]string{"scope": code.Scope.String(), "how": how},
	}
	if code.Resource != "" {
		event.Detail["resource"] = code.Resource
	}

	if err := r.Trail.Record(ctx, event); err != nil {
		r.Logger.ErrorContext(ctx, "can't write the audit trail", "kind", event.Kind, "client_id", event.ClientID,
			"grant_id", event.GrantID, "error", err)
	}
}
