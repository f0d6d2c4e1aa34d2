package httpapi

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// What a flow's address may carry in its query: a way back to the first page,
// and what was wrong with the form before the redirect. Neither changes anything.
const (
	queryStep    = "step"
	queryProblem = "problem"

	stepEmail       = "email"
	problemPassword = "password"
	problemEmpty    = "empty"
)

func flowPath(id string) string { return "/auth/flows/" + url.PathEscape(id) }

// returnPath is where a finished flow goes on: a stored kind decides, never a
// stored URL.
func returnPath(r *grants.AuthorizationRequest) string {
	if r.Kind == grants.KindDevice {
		return "/device?flow=" + url.QueryEscape(r.ID)
	}
	return "/api/v1/platform/oauth/authorize?flow=" + url.QueryEscape(r.ID)
}

// flow shows the page that is due.
func (a *api) flow(c *gin.Context) {
	query, err := httpkit.Query(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}
	v, err := a.App.Open(c.Request.Context(), c.Param("flow"), a.browser(c.Request))
	if err != nil {
		a.fail(c, err)
		return
	}
	if v.Step == domain.StepDone {
		httpkit.SeeOther(c, returnPath(v.Request))
		return
	}
	if query.Get(queryStep) == stepEmail {
		a.emailPage(c, v, http.StatusOK, emailValue(v), "")
		return
	}
	switch v.Step {
	case domain.StepEmail:
		a.emailPage(c, v, http.StatusOK, emailValue(v), "")
	case domain.StepPassword:
		a.passwordPage(c, v, query.Get(queryProblem))
	case domain.StepSSO:
		a.ssoPage(c, v)
	case domain.StepNoTenant:
		a.noTenantPage(c, v)
	case domain.StepTenant:
		a.tenantPage(c, v)
	case domain.StepAccount:
		a.accountPage(c, v)
	default:
		a.consentPage(c, v)
	}
}

func emailValue(v *app.Visit) string {
	if v.Request.LoginEmail != "" {
		return v.Request.LoginEmail
	}
	return v.Request.LoginHint
}

func (a *api) email(c *gin.Context) {
	v, form, ok := a.submitted(c)
	if !ok {
		return
	}
	typed := form.Get("email")
	valid, err := a.App.Email(c.Request.Context(), v, typed)
	switch {
	case err != nil:
		httpkit.Fail(c, err)
	case !valid:
		a.emailPage(c, v, http.StatusUnprocessableEntity, typed, "email.invalid")
	default:
		a.next(c, v, "")
	}
}

func (a *api) password(c *gin.Context) {
	v, form, ok := a.submitted(c)
	if !ok {
		return
	}
	typed := form.Get("password")
	if v.Step != domain.StepPassword {
		a.next(c, v, "")
		return
	}
	if typed == "" {
		a.next(c, v, problemEmpty)
		return
	}
	fresh, err := a.App.Password(c.Request.Context(), v, typed)
	switch {
	case err != nil:
		httpkit.Fail(c, err)
	case fresh == nil:
		a.next(c, v, problemPassword)
	default:
		a.Jar.SetSession(c.Writer, fresh.Value, fresh.Lifetime)
		a.next(c, v, "")
	}
}

func (a *api) tenant(c *gin.Context) {
	v, form, ok := a.submitted(c)
	if !ok {
		return
	}
	fresh, err := a.App.Tenant(c.Request.Context(), v, form.Get("tenant"))
	if err != nil {
		a.fail(c, err)
		return
	}
	if fresh != nil {
		a.Jar.SetSession(c.Writer, fresh.Value, fresh.Lifetime)
	}
	a.next(c, v, "")
}

func (a *api) consent(c *gin.Context) {
	v, form, ok := a.submitted(c)
	if !ok {
		return
	}
	switch action := form.Get("action"); action {
	case "allow", "deny":
		if err := a.App.Consent(c.Request.Context(), v, action == "allow"); err != nil {
			a.fail(c, err)
			return
		}
	}
	a.next(c, v, "")
}

// submitted is what every form of a flow passes first: it is from a page of ours
// in this browser, and the flow is this browser's and alive.
func (a *api) submitted(c *gin.Context) (*app.Visit, *httpkit.Params, bool) {
	form, err := httpkit.Form(c)
	if err != nil {
		httpkit.Fail(c, err)
		return nil, nil, false
	}
	flowID, browser := c.Param("flow"), a.Jar.Browser(c.Request)
	if browser == "" {
		a.fail(c, app.ErrOtherBrowser)
		return nil, nil, false
	}
	if form.Repeated() != "" || !cookie.CheckCSRF(browser, flowID, form.Get("csrf_token")) {
		a.fail(c, errCSRF)
		return nil, nil, false
	}
	v, err := a.App.Open(c.Request.Context(), flowID, a.browser(c.Request))
	if err != nil {
		a.fail(c, err)
		return nil, nil, false
	}
	return v, form, true
}

// next leads to the flow's own address, which shows what is due now.
func (a *api) next(c *gin.Context, v *app.Visit, problem string) {
	to := flowPath(v.Request.ID)
	if problem != "" {
		to += "?" + queryProblem + "=" + problem
	}
	httpkit.SeeOther(c, to)
}

var errCSRF = errors.New("session: the form does not belong to this browser and flow")

// fail has a page for each way in which a flow cannot go on; everything else is
// httpkit's.
func (a *api) fail(c *gin.Context, err error) {
	var status int
	var key string
	switch {
	case errors.Is(err, app.ErrFlowUnknown):
		status, key = http.StatusNotFound, "flow.unknown"
	case errors.Is(err, app.ErrFlowExpired):
		status, key = http.StatusGone, "flow.expired"
	case errors.Is(err, app.ErrFlowFinished):
		status, key = http.StatusGone, "flow.finished"
	case errors.Is(err, app.ErrOtherBrowser):
		status, key = http.StatusForbidden, "flow.browser"
	case errors.Is(err, errCSRF):
		status, key = http.StatusForbidden, "flow.csrf"
	default:
		httpkit.Fail(c, err)
		return
	}
	texts := a.texts.For(c.Request, "")
	message := webui.Message{Title: texts.T(key + ".title"), Lead: texts.T(key + ".what"), Text: texts.T(key + ".do")}
	if errors.Is(err, errCSRF) {
		message.Link = &webui.Link{Href: flowPath(c.Param("flow")), Label: texts.T("flow.csrf.link")}
	}
	a.UI.Message(c.Writer, c.Request, status, message, webui.PageOptions{Texts: texts})
}
