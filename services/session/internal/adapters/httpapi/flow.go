package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// Query parameters of a flow's URL: a way back to the first page, and what was wrong with
// the form before the redirect. Neither changes anything.
const (
	queryStep    = "step"
	queryProblem = "problem"

	stepEmail       = "email"
	problemPassword = "password"
	problemEmpty    = "empty"
	problemOver     = "over" // authorize no longer accepts the flow
)

// formFields lists the fields of all forms.
var formFields = []string{
	"csrf_token", "email", "password", "tenant", "session", "action", "application",
	"current_password", "new_password", "repeat_password", "sign_out_others",
}

func flowPath(id string) string { return oauth.FlowsPath + url.PathEscape(id) }

// returnPath returns where a finished flow continues. It is derived from the stored kind,
// never from a stored URL.
func returnPath(r *grants.Flow) string {
	switch r.Kind {
	case grants.KindDevice:
		return oauth.DevicePath + "?flow=" + url.QueryEscape(r.ID)
	case grants.KindAccount:
		return accountPath
	}
	return oauth.IssuerPath + "/authorize?flow=" + url.QueryEscape(r.ID)
}

// signInPages serves the flows and the entrances of tenants.
type signInPages struct {
	*frame
	app *app.SignIn
	// shown records an error page in the audit trail.
	shown func(ctx context.Context, p httpkit.Problem)
}

// flow shows the page that is due.
func (h *signInPages) flow(c *gin.Context) {
	query, err := httpkit.Query(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	v, err := h.app.Open(c.Request.Context(), c.Param("flow"), h.browser(c))
	if err != nil {
		h.fail(c, err)
		return
	}

	if v.Step == domain.StepDone {
		if query.Get(queryProblem) == problemOver { // or the two would redirect the browser back and forth
			h.fail(c, app.ErrFlowOver)
			return
		}
		httpkit.SeeOther(c, returnPath(v.Request))
		return
	}

	if query.Get(queryStep) == stepEmail {
		h.emailPage(c, v, http.StatusOK, emailValue(v), "")
		return
	}

	switch v.Step {
	case domain.StepEmail:
		h.emailPage(c, v, http.StatusOK, emailValue(v), "")
	case domain.StepPassword:
		h.passwordPage(c, v, query.Get(queryProblem))
	case domain.StepSSO:
		h.ssoPage(c, v)
	case domain.StepNoTenant:
		h.noTenantPage(c, v)
	case domain.StepTenant:
		h.tenantPage(c, v)
	case domain.StepAccount:
		h.accountPage(c, v)
	default:
		h.consentPage(c, v)
	}
}

func emailValue(v *app.Visit) string {
	if v.Request.LoginEmail != "" {
		return directory.ReadableEmail(v.Request.LoginEmail)
	}
	return v.Request.LoginHint
}

func (h *signInPages) email(c *gin.Context) {
	v, form, ok := h.submitted(c, formEmail)
	if !ok {
		return
	}

	typed := form.Get("email")
	valid, err := h.app.Email(c.Request.Context(), v, typed)
	switch {
	case err != nil:
		h.fail(c, err)
	case !valid:
		h.emailPage(c, v, http.StatusUnprocessableEntity, typed, "email.invalid")
	default:
		h.next(c, v, "")
	}
}

func (h *signInPages) password(c *gin.Context) {
	v, form, ok := h.submitted(c, formPassword)
	if !ok {
		return
	}

	typed := form.Get("password")

	if v.Step != domain.StepPassword {
		h.next(c, v, "")
		return
	}

	if typed == "" {
		h.next(c, v, problemEmpty)
		return
	}

	fresh, err := h.app.Password(c.Request.Context(), v, typed)
	switch {
	case err != nil:
		h.fail(c, err)
	case fresh == nil:
		h.next(c, v, problemPassword)
	default:
		h.setCookies(c, fresh)
		h.next(c, v, "")
	}
}

func (h *signInPages) tenant(c *gin.Context) {
	v, form, ok := h.submitted(c, formTenant)
	if !ok {
		return
	}

	choose, chosen := h.app.Tenant, form.Get("tenant")
	if other := form.Get("session"); other != "" {
		choose, chosen = h.app.Account, other
	}

	fresh, err := choose(c.Request.Context(), v, chosen)
	if err != nil {
		h.fail(c, err)
		return
	}

	h.setCookies(c, fresh)
	h.next(c, v, "")
}

func (h *signInPages) consent(c *gin.Context) {
	v, form, ok := h.submitted(c, formConsent)
	if !ok {
		return
	}

	switch action := form.Get("action"); action {
	case "allow", "deny":
		if err := h.app.Consent(c.Request.Context(), v, action == "allow"); err != nil {
			h.fail(c, err)
			return
		}
	}

	h.next(c, v, "")
}

// submitted runs the checks that all forms of a flow share: the flow is this browser's and
// alive, and the form comes from one of our pages that would still show the same. A form
// that another tab overtook redirects to the flow's own URL, which explains why.
func (h *signInPages) submitted(c *gin.Context, page string) (*app.Visit, *httpkit.Params, bool) {
	form, err := httpkit.Form(c)
	if err != nil {
		httpkit.Fail(c, err)
		return nil, nil, false
	}

	flowID, browser := c.Param("flow"), h.jar.Browser(c.Request)
	if browser == "" {
		h.fail(c, app.ErrOtherBrowser)
		return nil, nil, false
	}

	b := h.browser(c)
	b.Resent = page == formPassword
	v, err := h.app.Open(c.Request.Context(), flowID, b)
	switch {
	case errors.Is(err, app.ErrOtherBrowser):
		httpkit.SeeOther(c, flowPath(flowID))
		return nil, nil, false
	case err != nil:
		h.fail(c, err)
		return nil, nil, false
	case form.Twice(formFields...) != "" || !cookie.CheckCSRF(browser, flowPurpose(v, page), form.Get("csrf_token")):
		h.stale(c, staleFlow, flowPath(flowID))
		return nil, nil, false
	}

	return v, form, true
}

// next redirects to the flow's own URL, which shows the step that is due.
func (h *signInPages) next(c *gin.Context, v *app.Visit, problem string) {
	to := flowPath(v.Request.Handle())
	if problem != "" {
		to += "?" + queryProblem + "=" + problem
	}
	httpkit.SeeOther(c, to)
}

type failure struct {
	err    error
	status int
	key    string
}

// failures maps the errors that end a flow to their status and message.
var failures = []failure{
	{app.ErrFlowUnknown, http.StatusNotFound, "flow.unknown"},
	{app.ErrFlowExpired, http.StatusGone, "flow.expired"},
	{app.ErrFlowFinished, http.StatusGone, "flow.finished"},
	{app.ErrFlowOver, http.StatusGone, "flow.over"},
	{app.ErrOtherBrowser, http.StatusForbidden, "flow.browser"},
}

// fail shows a page for each of failures and for too many guesses. All other errors go to
// httpkit.
func (h *signInPages) fail(c *gin.Context, err error) {
	if h.refused(c, err) {
		return
	}

	i := slices.IndexFunc(failures, func(f failure) bool { return errors.Is(err, f.err) })
	if i < 0 {
		httpkit.Fail(c, err)
		return
	}

	f := failures[i]
	texts := h.texts.For(c.Request, "")
	message := webui.Message{
		Title: texts.T(f.key + ".title"),
		Lead:  texts.T(f.key + ".what"),
		Text:  texts.T(f.key + ".do"),
	}
	h.wayOn(c, &message, f.key, texts)
	message.Reference = httpkit.Reference(c)
	if f.status == http.StatusForbidden { // possibly an attack
		h.journal.Refused(c.Request.Context(), h.browser(c), f.key)
	} else {
		h.shown(c.Request.Context(), httpkit.Problem{
			Status:    f.status,
			Code:      oauth.Code(f.key),
			Reference: message.Reference,
			Address:   httpkit.ClientAddr(c),
		})
	}

	h.ui.Message(c.Writer, c.Request, f.status, message, webui.PageOptions{Texts: texts})
}
