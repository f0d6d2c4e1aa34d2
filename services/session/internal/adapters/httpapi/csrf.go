package httpapi

import (
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
)

// The forms of a flow. Each is also the last segment of the path that it posts to.
const (
	formEmail    = "email"
	formPassword = "password"
	formTenant   = "tenant" // on the tenant page and the account page
	formConsent  = "consent"
)

// Reasons that the audit trail gives for a form that was ignored.
const (
	staleFlow    = "flow.csrf"
	staleAccount = "flow.form"
)

// flowPurpose binds a form of a flow to what its page showed, so that an answer can't count
// for a person, tenant or application other than the one it was given for.
func flowPurpose(v *app.Visit, form string) string {
	r := v.Request
	shown := []string{r.ID}
	if form == formPassword {
		shown = append(shown, r.LoginEmail)
		if v.Home != nil {
			shown = append(shown, v.Home.ID)
		}
	}

	if form == formTenant || form == formConsent {
		shown = append(shown, shownSession(v.Session)...)
	}

	if form == formConsent {
		shown = append(shown, r.ClientID, r.RedirectURI(), r.Scope.String(), r.Resource)
	}

	return cookie.Purpose(form, shown...)
}

// accountPurpose binds the forms of the account page to the session.
func accountPurpose(s *sessions.Session) string {
	return cookie.Purpose("account", shownSession(s)...)
}

// logoutPurpose binds the confirmation of a logout to the person it names and the
// application it returns to.
func logoutPurpose(out *app.PreparedLogout) string {
	shown := shownSession(out.Session)
	if out.App != nil {
		shown = append(shown, out.App.ClientID)
	}
	return cookie.Purpose("logout", append(shown, out.ReturnTo)...)
}

func shownSession(s *sessions.Session) []string {
	if s == nil {
		return []string{"", "", ""}
	}
	return []string{s.ID, s.UserID, s.TenantID}
}
