package app

import (
	"context"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
)

// How a code came about, as the audit trail tells it.
const (
	silent  = "silent" // an existing session answered the request without a page
	byPages = "pages"  // the person saw at least one page
)

// issued records in the audit trail that a code was issued. A failure to record is logged but
// doesn't hold back the code.
func (a *Authorizer) issued(ctx context.Context, code *grants.AuthorizationCode, how string, visitor Visitor) {
	event := audit.Event{
		Kind:      audit.CodeIssued,
		UserID:    code.UserID,
		ClientID:  code.ClientID,
		TenantID:  code.TenantID,
		SessionID: code.SessionID,
		GrantID:   code.GrantID,
		Reference: visitor.Reference,
		Detail:    map[string]string{"scope": code.Scope.String(), "how": how},
	}
	if visitor.Address.IsValid() {
		event.Address = visitor.Address.String()
	}
	if code.Resource != "" {
		event.Detail["resource"] = code.Resource
	}

	if err := a.Trail.Record(ctx, event); err != nil {
		a.Logger.ErrorContext(ctx, "could not write the audit trail", "kind", event.Kind, "client_id", event.ClientID,
			"grant_id", event.GrantID, "error", err)
	}
}
