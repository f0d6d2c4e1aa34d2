package httpapi

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
)

// entrancePurpose is the purpose of the CSRF token of a tenant's entrance.
const entrancePurpose = "entrance "

func tenantPath(slug string) string { return "/auth/tenants/" + url.PathEscape(slug) }

// themeOf returns the URL of the stylesheet with a tenant's accent colour, or "" if the
// tenant has no readable one.
func themeOf(tenant *directory.Tenant) string {
	if tenant == nil || webui.Accent(tenant.Color) == "" {
		return ""
	}
	return tenantPath(tenant.Slug) + "/theme.css?" + url.QueryEscape(tenant.Color[1:])
}

// tenantOfPath returns the tenant named in the path. If there is none it answers the
// request and returns nil.
func (h *signInPages) tenantOfPath(c *gin.Context) *directory.Tenant {
	tenant, err := h.app.TenantPage(c.Request.Context(), c.Param("slug"))
	switch {
	case err != nil:
		httpkit.Fail(c, err)
	case tenant == nil:
		httpkit.NotFound(c)
	}
	return tenant
}

// entrance shows the page where a tenant's people sign in without an application. It stores
// nothing.
func (h *signInPages) entrance(c *gin.Context) {
	if tenant := h.tenantOfPath(c); tenant != nil {
		h.entrancePage(c, http.StatusOK, tenant, "", "")
	}
}

func (h *signInPages) entrancePage(c *gin.Context, status int, tenant *directory.Tenant, value, problem string) {
	browser, err := h.ownBrowser(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	t := h.texts.For(c.Request, c.Query("ui_locales"))
	f := form{
		Action: tenantPath(tenant.Slug),
		CSRF:   cookie.CSRFToken(browser, entrancePurpose+tenant.ID),
		Field:  emailField(t, value),
	}
	view := webui.View{Title: t.T("entrance.title", tenant.Name), Lead: t.T("entrance.lead"), Data: &f}
	if problem != "" {
		f.Field.Error = t.T(problem)
		view.Invalid = []webui.Field{f.Field}
	}

	h.ui.Render(c.Writer, c.Request, status, h.pages["entrance"], view,
		webui.PageOptions{Texts: t, Theme: themeOf(tenant)})
}

// enter starts a sign-in with the address typed at an entrance.
func (h *signInPages) enter(c *gin.Context) {
	sent, err := httpkit.Form(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	tenant := h.tenantOfPath(c)
	if tenant == nil {
		return
	}

	if sent.Twice(formFields...) != "" || !cookie.CheckCSRF(h.jar.Browser(c.Request), entrancePurpose+tenant.ID,
		sent.Get("csrf_token")) {
		httpkit.SeeOther(c, tenantPath(tenant.Slug)) // only the typed address is lost
		return
	}

	if sent.Get("email") == "" {
		h.entrancePage(c, http.StatusUnprocessableEntity, tenant, "", "email.invalid")
		return
	}

	flow, ok, err := h.app.Enter(c.Request.Context(),
		app.Entrance{Browser: h.browser(c), Email: sent.Get("email"), TenantID: tenant.ID})
	switch {
	case err != nil:
		httpkit.Fail(c, err)
	case !ok:
		h.entrancePage(c, http.StatusUnprocessableEntity, tenant, sent.Get("email"), "email.invalid")
	default:
		httpkit.SeeOther(c, flowPath(flow))
	}
}

// theme serves the stylesheet with a tenant's accent colour. Pages name the colour in the
// query, so that a new colour has a new URL.
func (h *signInPages) theme(c *gin.Context) {
	tenant := h.tenantOfPath(c)
	if tenant == nil {
		return
	}

	header := c.Writer.Header()
	header.Set("Cache-Control", "public, max-age=3600")
	header.Set("Content-Type", "text/css; charset=utf-8")
	c.Status(http.StatusOK)

	if c.Request.Method != http.MethodHead {
		_, _ = c.Writer.WriteString(webui.Accent(tenant.Color))
	}
}
