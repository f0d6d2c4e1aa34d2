package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// Paths of the account page and its forms.
const (
	accountPath             = oauth.AccountPath
	accountSessionsPath     = accountPath + "/sessions"
	accountApplicationsPath = accountPath + "/applications"
	accountPasswordPath     = accountPath + "/password"
)

// queryDone tells the account page which form redirected to it.
const (
	queryDone  = "done"
	doneOthers = "others"
)

// doneWords maps the values of queryDone to messages. Other values are ignored.
var doneWords = map[string]string{
	"session":     "me.done.session",
	doneOthers:    "me.done.others",
	"application": "me.done.application",
	"password":    "me.done.password",
}

// profile holds the data of the account page.
type profile struct {
	CSRF        string
	Name        string // empty if only the address is known
	Address     string
	Tenant      string
	Done        *webui.Notice
	Devices     []device
	Several     bool     // signed in elsewhere too
	Holders     []string // applications that lose their access if the person signs out elsewhere
	Allowed     []allowedApp
	HasPassword bool
	SignOut     string
	Sessions    string
	Apps        string
	Password    string
}

type device struct {
	ID, What, Since, SinceAt, Seen, SeenAt, Address, Tenant string
	This                                                    bool
}

type allowedApp struct {
	Value, Name, Initial, Tenant, Since, SinceAt string
	Scopes                                       []webui.ScopeLine
	Offline                                      bool
}

// accountPages serves the account page and its forms.
type accountPages struct {
	*frame
	app    *app.Account
	signIn *app.SignIn // where people who aren't signed in begin
}

// me returns the person who is signed in. If there is none, it redirects to the sign-in
// pages and returns nil, so that a form changes nothing once the person is signed out.
func (h *accountPages) me(c *gin.Context) *app.Me {
	me, err := h.app.Me(c.Request.Context(), h.browser(c))
	switch {
	case errors.Is(err, app.ErrSignedOut):
		h.signInFirst(c)
	case err != nil:
		httpkit.Fail(c, err)
	}
	return me
}

func (h *accountPages) signInFirst(c *gin.Context) {
	if c.Request.Method == http.MethodPost {
		httpkit.SeeOther(c, accountPath)
		return
	}

	browser, err := h.ownBrowser(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	b := h.browser(c)
	b.Hash = cookie.Hash(browser)
	flow, _, err := h.signIn.Enter(c.Request.Context(),
		app.Entrance{Browser: b, UILocales: boundedLocales(c.Query("ui_locales"))})
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	httpkit.SeeOther(c, flowPath(flow))
}

// boundedLocales returns the value, or "" if it is too long for a list of languages.
func boundedLocales(sent string) string {
	if len(sent) > 256 {
		return ""
	}
	return sent
}

// account shows the account page.
func (h *accountPages) account(c *gin.Context) {
	me := h.me(c)
	if me == nil {
		return
	}

	p, err := h.app.Profile(c.Request.Context(), me)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	h.profilePage(c, p)
}

func (h *accountPages) profilePage(c *gin.Context, p *app.Profile) {
	csrf, err := h.accountCSRF(c, p.Session)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	t := h.texts.For(c.Request, c.Query("ui_locales"))
	data := profile{
		CSRF:        csrf,
		Name:        p.User.Name,
		Address:     addressOf(p.User),
		Tenant:      p.TenantName(p.Session.TenantID),
		HasPassword: p.HasPassword,
		Several:     len(p.Devices) > 1,
		Holders:     p.Holders(),
		SignOut:     logoutPath,
		Sessions:    accountSessionsPath,
		Apps:        accountApplicationsPath,
		Password:    accountPasswordPath,
	}
	if words := doneWords[c.Query(queryDone)]; words != "" {
		data.Done = &webui.Notice{Kind: webui.Success, Text: t.T(words)}
	}

	for _, s := range p.Devices {
		data.Devices = append(data.Devices, deviceLine(t, p, s))
	}

	for _, allowed := range p.Allowances {
		data.Allowed = append(data.Allowed, appLine(t, p, allowed))
	}

	view := webui.View{Title: t.T("me.title"), Wide: true, Data: &data}
	h.ui.Render(c.Writer, c.Request, http.StatusOK, h.pages["me"], view,
		webui.PageOptions{Texts: t, Theme: h.ownTheme(p.Me)})
}

func (h *accountPages) ownTheme(me *app.Me) string {
	for i := range me.Tenants {
		if me.Tenants[i].ID == me.Session.TenantID {
			return themeOf(&me.Tenants[i])
		}
	}
	return ""
}

func deviceLine(t webui.Texts, p *app.Profile, s *sessions.Session) device {
	browser, system := domain.DescribeUserAgent(s.UserAgent)
	d := device{
		ID:      s.ID,
		What:    browser,
		Since:   t.Ago(s.CreatedAt, p.Now),
		SinceAt: machine(s.CreatedAt),
		Seen:    t.Ago(s.LastSeenAt, p.Now),
		SeenAt:  machine(s.LastSeenAt),
		Address: s.Address,
		Tenant:  p.TenantName(s.TenantID),
		This:    s.ID == p.Session.ID,
	}
	switch {
	case browser == "" && system == "":
		d.What = t.T("me.browser_unknown")
	case browser == "":
		d.What = system
	case system != "":
		d.What = t.T("me.browser_on", browser, system)
	}

	return d
}

func appLine(t webui.Texts, p *app.Profile, allowed ports.Allowance) allowedApp {
	line := allowedApp{
		Value:   allowed.ClientID + " " + allowed.TenantID,
		Name:    allowed.Application,
		Tenant:  p.TenantName(allowed.TenantID),
		Since:   t.Ago(allowed.Since, p.Now),
		SinceAt: machine(allowed.Since),
		Scopes:  t.Scopes(allowed.Scope),
		Offline: allowed.Offline,
	}
	if line.Name == "" {
		line.Name = t.T("me.app_gone")
	}

	line.Initial = initial(line.Name)
	return line
}

// machine formats a time for the datetime attribute of a time element.
func machine(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// accountCSRF binds the account page's forms to browser and session, so that a form that
// was open while another person signed in is rejected as stale.
func (h *accountPages) accountCSRF(c *gin.Context, s *sessions.Session) (string, error) {
	browser, err := h.ownBrowser(c)
	return cookie.CSRFToken(browser, accountPurpose(s)), err
}

// accountForm runs the checks that all forms of the account page share. page is the page
// that holds the form.
func (h *accountPages) accountForm(c *gin.Context, page string) (*app.Me, *httpkit.Params) {
	form, err := httpkit.Form(c)
	if err != nil {
		httpkit.Fail(c, err)
		return nil, nil
	}

	me := h.me(c)
	if me == nil {
		return nil, nil
	}

	if form.Twice(formFields...) != "" || !cookie.CheckCSRF(h.jar.Browser(c.Request), accountPurpose(me.Session),
		form.Get("csrf_token")) {
		h.stale(c, staleAccount, page)
		return nil, nil
	}

	return me, form
}

// done redirects to the account page, which reports what was done.
func (h *accountPages) done(c *gin.Context, err error, what string) {
	if err != nil {
		httpkit.Fail(c, err)
		return
	}
	httpkit.SeeOther(c, accountPath+"?"+queryDone+"="+what)
}

// endSessions signs out one device, or ends all access but this browser's.
func (h *accountPages) endSessions(c *gin.Context) {
	me, form := h.accountForm(c, accountPath)
	if me == nil {
		return
	}

	switch which := form.Get("session"); which {
	case "":
		httpkit.SeeOther(c, accountPath)
	case doneOthers:
		h.done(c, h.app.EndOthers(c.Request.Context(), me), doneOthers)
	case me.Session.ID:
		fresh, err := h.app.Leave(c.Request.Context(), me)
		if err != nil {
			httpkit.Fail(c, err)
			return
		}

		h.leave(c, fresh)
		httpkit.SeeOther(c, logoutPath)
	default:
		h.done(c, h.app.EndDevice(c.Request.Context(), me, which), "session")
	}
}

// withdraw ends the access of an application.
func (h *accountPages) withdraw(c *gin.Context) {
	me, form := h.accountForm(c, accountPath)
	if me == nil {
		return
	}

	clientID, tenantID, ok := strings.Cut(form.Get("application"), " ")
	if !ok {
		httpkit.SeeOther(c, accountPath)
		return
	}

	h.done(c, h.app.Withdraw(c.Request.Context(), me, clientID, tenantID), "application")
}
