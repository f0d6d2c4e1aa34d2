package httpapi

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
)

// form holds the data of a flow's pages. Each page uses the fields it needs.
type form struct {
	Action   string // where its form posts to
	CSRF     string
	Change   string // link back to the e-mail page
	Address  string
	Username string // for password managers: the address as it is stored
	Name     string // the person's name, or empty
	App      string
	Tenant   string
	Field    webui.Field
	Choices  []choice
	Scopes   []webui.ScopeLine
	Resource string // the resource that the scopes are for, or empty
	ReturnTo string // host that the browser returns to after consent
	SignOut  string
	Warning  *webui.Notice
}

// choice is one row of a list.
type choice struct{ Name, Value, Initial, Title, Detail string }

func (h *signInPages) emailPage(c *gin.Context, v *app.Visit, status int, value, problem string) {
	t := h.texts.For(c.Request, v.Request.UILocales)
	f := h.form(c, v, formEmail)
	f.Field = emailField(t, value)
	view := webui.View{Title: t.T("email.title"), Lead: t.T("to_continue", appName(t, v)), Data: &f}
	if problem != "" {
		f.Field.Error = t.T(problem)
		view.Invalid = []webui.Field{f.Field}
	}

	h.render(c, v, status, "email", view, t)
}

func emailField(t webui.Texts, value string) webui.Field {
	return webui.Field{
		// Not "email": browsers refuse letters before the @ that are not ASCII.
		Name:         "email",
		Label:        t.T("email.label"),
		Type:         "text",
		Value:        value,
		Autocomplete: "username",
		InputMode:    "email",
		Autocapital:  "none",
		Required:     true,
		Autofocus:    true,
		ErrorAbove:   true,
	}
}

func (h *signInPages) passwordPage(c *gin.Context, v *app.Visit, problem string) {
	t := h.texts.For(c.Request, v.Request.UILocales)
	f := h.form(c, v, formPassword)
	f.Address, f.Username = directory.ReadableEmail(v.Request.LoginEmail), v.Request.LoginEmail
	f.Field = webui.Field{
		Name:         "password",
		Label:        t.T("password.label"),
		Type:         "password",
		Autocomplete: "current-password",
		Required:     true,
		Autofocus:    true,
		ErrorAbove:   true,
	}

	view := webui.View{Title: t.T("password.title"), Lead: t.T("to_continue", appName(t, v)), Data: &f}
	if v.Home != nil {
		view.Title = t.T("password.title_tenant", v.Home.Name)
	}

	switch problem {
	case problemPassword:
		f.Field.Error = t.T("password.wrong")
	case problemEmpty:
		f.Field.Error = t.T("password.empty")
	}

	if f.Field.Error != "" {
		view.Invalid = []webui.Field{f.Field}
	}

	h.render(c, v, http.StatusOK, "password", view, t)
}

func (h *signInPages) ssoPage(c *gin.Context, v *app.Visit) {
	t := h.texts.For(c.Request, v.Request.UILocales)
	f := h.form(c, v, "")
	f.Address = directory.ReadableEmail(v.Request.LoginEmail)
	view := webui.View{Title: t.T("sso.title", v.Home.Name), Lead: t.T("sso.lead", v.Home.Name), Data: &f}
	h.render(c, v, http.StatusOK, "sso", view, t)
}

func (h *signInPages) noTenantPage(c *gin.Context, v *app.Visit) {
	t := h.texts.For(c.Request, v.Request.UILocales)
	f := h.form(c, v, "")
	f.Address = addressOf(v.User)
	f.SignOut = logoutPath
	view := webui.View{Title: t.T("no_tenant.title"), Lead: t.T("no_tenant.lead"), Data: &f}
	h.render(c, v, http.StatusForbidden, "no_tenant", view, t)
}

func (h *signInPages) tenantPage(c *gin.Context, v *app.Visit) {
	t := h.texts.For(c.Request, v.Request.UILocales)
	f := h.form(c, v, formTenant)
	f.Address = addressOf(v.User)

	for _, tenant := range v.Tenants {
		f.Choices = append(f.Choices, choice{
			Name:    "tenant",
			Value:   tenant.ID,
			Initial: initial(tenant.Name),
			Title:   tenant.Name,
		})
	}

	view := webui.View{Title: t.T("tenant.title"), Lead: t.T("tenant.lead"), Data: &f}
	h.render(c, v, http.StatusOK, "tenant", view, t)
}

func (h *signInPages) accountPage(c *gin.Context, v *app.Visit) {
	t := h.texts.For(c.Request, v.Request.UILocales)
	f := h.form(c, v, formTenant)
	add := func(tenant *directory.Tenant, detail string) {
		f.Choices = append(f.Choices, choice{
			Name:    "tenant",
			Value:   tenant.ID,
			Initial: initial(tenant.Name),
			Title:   tenant.Name,
			Detail:  detail,
		})
	}
	if current := v.Tenant(); current != nil && v.Accepted() {
		add(current, t.T("account.current", addressOf(v.User)))
		for i := range v.Tenants {
			if v.Tenants[i].ID != current.ID {
				add(&v.Tenants[i], addressOf(v.User))
			}
		}
	}

	for i := range v.Others {
		o := &v.Others[i]
		f.Choices = append(f.Choices, choice{
			Name:    "session",
			Value:   o.Session.ID,
			Initial: initial(nameOf(o.User)),
			Title:   o.Tenant().Name,
			Detail:  addressOf(o.User),
		})
	}

	view := webui.View{Title: t.T("account.title"), Lead: t.T("to_continue", appName(t, v)), Data: &f}
	h.render(c, v, http.StatusOK, "account", view, t)
}

func (h *signInPages) consentPage(c *gin.Context, v *app.Visit) {
	t := h.texts.For(c.Request, v.Request.UILocales)
	f := h.form(c, v, formConsent)
	f.Address, f.Name, f.Tenant = addressOf(v.User), nameOf(v.User), v.Tenant().Name
	f.Scopes, f.Resource = t.Scopes(v.Request.Scope), v.App.ResourceFor(v.Request.Resource)
	f.ReturnTo = t.T("consent.device")
	if oauth.IsWebRedirect(v.Request.RedirectURI()) {
		f.ReturnTo = hostOf(v.Request.RedirectURI())
	}

	if v.App.Development {
		f.Warning = &webui.Notice{Kind: webui.Warning, Text: t.T("consent.development", appName(t, v))}
	}

	view := webui.View{Title: t.T("consent.title", appName(t, v)), Data: &f}
	h.render(c, v, http.StatusOK, "consent", view, t)
}

func (h *signInPages) form(c *gin.Context, v *app.Visit, action string) form {
	path := flowPath(v.Request.Handle())
	return form{
		Action: path + "/" + action,
		CSRF:   cookie.CSRFToken(h.jar.Browser(c.Request), flowPurpose(v, action)),
		Change: path + "?" + queryStep + "=" + stepEmail,
		App:    appName(h.texts.For(c.Request, v.Request.UILocales), v),
	}
}

func (h *signInPages) render(c *gin.Context, v *app.Visit, status int, page string, view webui.View, t webui.Texts) {
	opts := webui.PageOptions{Texts: t, Theme: themeOf(v.Home), LeadsAway: v.Request.RedirectURI() != ""}
	if v.Accepted() {
		opts.Theme = themeOf(v.Tenant())
	}
	h.ui.Render(c.Writer, c.Request, status, h.pages[page], view, opts)
}

// hostOf returns the host of a web redirect URI as people write it, including the port if it has
// one.
func hostOf(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil {
		return ""
	}

	host := u.Hostname()
	return strings.Replace(u.Host, host, directory.ReadableDomain(host), 1)
}

// appName returns the name of what the flow returns to: the application, the account page, or
// the page for devices if the device's code hasn't been looked up.
func appName(t webui.Texts, v *app.Visit) string {
	switch {
	case v.App != nil:
		return v.App.Name
	case v.Request.Kind == grants.KindDevice:
		return t.T("device.app")
	default:
		return t.T("me.app")
	}
}

func nameOf(u *directory.User) string {
	if u.Name != "" {
		return u.Name
	}
	return addressOf(u)
}

// addressOf returns a person's address as pages show it. Forms keep the stored one.
func addressOf(u *directory.User) string { return directory.ReadableEmail(u.Email) }

// initial returns the first letter or digit of a name, for its badge.
func initial(name string) string {
	i := strings.IndexFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
	if i < 0 {
		return "?"
	}
	r, _ := utf8.DecodeRuneInString(name[i:])
	return string(unicode.ToUpper(r))
}
