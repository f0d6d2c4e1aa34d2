package httpapi

import (
	"context"
	"io"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
)

// Options configures New. All fields are required.
type Options struct {
	SignIn  *app.SignIn
	Account *app.Account
	Logout  *app.Logout
	Journal *app.Journal
	UI      *webui.UI
	Jar     cookie.Jar
	Random  io.Reader // for the browser cookie, which logout may have to set
	// Shown records an error page in the audit trail.
	Shown func(ctx context.Context, p httpkit.Problem)
}

// New returns the handlers by operation id.
func New(o Options) (map[string]gin.HandlerFunc, error) {
	f, err := newFrame(o)
	if err != nil {
		return nil, err
	}

	signIn := &signInPages{frame: f, app: o.SignIn, shown: o.Shown}
	account := &accountPages{frame: f, app: o.Account, signIn: o.SignIn}
	logout := &logoutPages{frame: f, app: o.Logout}

	return map[string]gin.HandlerFunc{
		"flow":                  signIn.flow,
		"flowEmail":             signIn.email,
		"flowPassword":          signIn.password,
		"flowTenant":            signIn.tenant,
		"flowConsent":           signIn.consent,
		"tenantEntrance":        signIn.entrance,
		"tenantEntranceEmail":   signIn.enter,
		"tenantTheme":           signIn.theme,
		"account":               account.account,
		"accountSessions":       account.endSessions,
		"accountApplications":   account.withdraw,
		"accountPassword":       account.passwordForm,
		"accountPasswordChange": account.changePassword,
		"logout":                logout.logout,
		"logoutPost":            logout.logoutPost,
		"asset":                 f.asset,
	}, nil
}
