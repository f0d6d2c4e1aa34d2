package httpapi

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed messages/*.json
var messageFiles embed.FS

// Options configures New. All fields are required.
type Options struct {
	App    *app.App
	UI     *webui.UI
	Jar    cookie.Jar
	Random io.Reader // for the browser cookie, which logout may have to set
	// Shown records an error page in the audit trail.
	Shown func(ctx context.Context, p httpkit.Problem)
}

type api struct {
	Options
	texts *webui.Catalogue
	pages map[string]*webui.Page
}

// New returns the handlers by operation id.
func New(o Options) (map[string]gin.HandlerFunc, error) {
	a := &api{Options: o}
	if err := a.load(); err != nil {
		return nil, err
	}

	return map[string]gin.HandlerFunc{
		"flow":         a.flow,
		"flowEmail":    a.email,
		"flowPassword": a.password,
		"flowTenant":   a.tenant,
		"flowConsent":  a.consent,
		"asset":        a.asset,
		"logout":       a.logout,
		"logoutPost":   a.logoutPost,

		"tenantEntrance":        a.entrance,
		"tenantEntranceEmail":   a.enter,
		"tenantTheme":           a.theme,
		"account":               a.account,
		"accountSessions":       a.endSessions,
		"accountApplications":   a.withdraw,
		"accountPassword":       a.passwordForm,
		"accountPasswordChange": a.changePassword,
	}, nil
}

func (a *api) load() error {
	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return fmt.Errorf("session pages: %w", err)
	}

	if a.texts, err = a.UI.Catalogue(messages); err != nil {
		return err
	}

	a.pages = map[string]*webui.Page{}
	for _, name := range []string{
		"email", "password", "sso", "no_tenant", "tenant", "account", "consent", "logout", "me",
		"new_password", "entrance",
	} {
		if a.pages[name], err = a.UI.Page(templateFiles, "templates/"+name+".html"); err != nil {
			return err
		}
	}

	return nil
}

// asset serves the stylesheet, the icon and the form_post script for all pages of the
// platform.
func (a *api) asset(c *gin.Context) {
	if !a.UI.ServeAsset(c.Writer, c.Request, c.Param("file")) {
		httpkit.JSON(c, http.StatusNotFound, gin.H{"detail": "Not Found"})
	}
}

// browser reads the cookies, of which only hashes are passed on, and the origin of the
// request.
func (a *api) browser(c *gin.Context) app.Browser {
	r := c.Request
	return app.Browser{
		Hash:         cookie.Hash(a.Jar.Browser(r)),
		SessionHash:  cookie.Hash(a.Jar.Session(r)),
		AccountsHash: cookie.Hash(a.Jar.Accounts(r)),
		Device:       a.Jar.Device(r),
		UserAgent:    domain.CleanUserAgent(r.UserAgent()),
		Address:      httpkit.ClientAddr(c),
		Reference:    httpkit.Reference(c),
	}
}

// setCookies sets the cookies of a new session.
func (a *api) setCookies(c *gin.Context, fresh *app.NewCookie) {
	if fresh == nil {
		return
	}

	if fresh.Value != "" {
		a.Jar.SetSession(c.Writer, fresh.Value, fresh.Lifetime)
	}

	if fresh.Browser != "" {
		a.Jar.SetBrowser(c.Writer, fresh.Browser)
	}

	if fresh.Accounts != "" {
		a.Jar.SetAccounts(c.Writer, fresh.Accounts, fresh.Lifetime)
	}

	if fresh.Device != "" {
		a.Jar.SetDevice(c.Writer, fresh.Device)
	}
}

// leave removes the session cookie and replaces the browser's other cookies.
func (a *api) leave(c *gin.Context, fresh *app.NewCookie) {
	a.clear(c)
	a.setCookies(c, fresh)
}

// ownBrowser returns the browser cookie and sets one if there is none, since forms are
// bound to it.
func (a *api) ownBrowser(c *gin.Context) (string, error) {
	if browser := a.Jar.Browser(c.Request); browser != "" {
		return browser, nil
	}

	browser, err := oauth.NewSecret(a.Random)
	if err != nil {
		return "", err
	}

	a.Jar.SetBrowser(c.Writer, browser)
	return browser, nil
}
