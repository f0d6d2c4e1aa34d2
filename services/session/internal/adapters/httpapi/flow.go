package httpapi

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/limits"
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

// flow shows the page that is due.
func (a *api) flow(c *gin.Context) {
	query, err := httpkit.Query(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	v, err := a.App.Open(c.Request.Context(), c.Param("flow"), a.browser(c))
	if err != nil {
		a.fail(c, err)
		return
	}

	if v.Step == domain.StepDone {
		if query.Get(queryProblem) == problemOver { // or the two would redirect the browser back and forth
			a.fail(c, app.ErrFlowOver)
			return
		}
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
		return directory.ReadableEmail(v.Request.LoginEmail)
	}
	return v.Request.LoginHint
}

func (a *api) email(c *gin.Context) {
	v, form, ok := a.submitted(c, formEmail)
	if !ok {
		return
	}

	typed := form.Get("email")
	valid, err := a.App.Email(c.Request.Context(), v, typed)
	switch {
	case err != nil:
		a.fail(c, err)
	case !valid:
		a.emailPage(c, v, http.StatusUnprocessableEntity, typed, "email.invalid")
	default:
		a.next(c, v, "")
	}
}

func (a *api) password(c *gin.Context) {
	v, form, ok := a.submitted(c, formPassword)
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
		a.fail(c, err)
	case fresh == nil:
		a.next(c, v, problemPassword)
	default:
		a.setCookies(c, fresh)
		a.next(c, v, "")
	}
}

func (a *api) tenant(c *gin.Context) {
	v, form, ok := a.submitted(c, formTenant)
	if !ok {
		return
	}

	choose, chosen := a.App.Tenant, form.Get("tenant")
	if other := form.Get("session"); other != "" {
		choose, chosen = a.App.Account, other
	}

	fresh, err := choose(c.Request.Context(), v, chosen)
	if err != nil {
		a.fail(c, err)
		return
	}

	a.setCookies(c, fresh)
	a.next(c, v, "")
}

func (a *api) consent(c *gin.Context) {
	v, form, ok := a.submitted(c, formConsent)
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

// submitted runs the checks that all forms of a flow share: the flow is this browser's and
// alive, and the form comes from one of our pages that would still show the same. A form
// that another tab overtook redirects to the flow's own URL, which explains why.
func (a *api) submitted(c *gin.Context, page string) (*app.Visit, *httpkit.Params, bool) {
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

	b := a.browser(c)
	b.Resent = page == formPassword
	v, err := a.App.Open(c.Request.Context(), flowID, b)
	switch {
	case errors.Is(err, app.ErrOtherBrowser):
		httpkit.SeeOther(c, flowPath(flowID))
		return nil, nil, false
	case err != nil:
		a.fail(c, err)
		return nil, nil, false
	case form.Twice(formFields...) != "" || !cookie.CheckCSRF(browser, flowPurpose(v, page), form.Get("csrf_token")):
		a.stale(c, staleFlow, flowPath(flowID))
		return nil, nil, false
	}

	return v, form, true
}

// next redirects to the flow's own URL, which shows the step that is due.
func (a *api) next(c *gin.Context, v *app.Visit, problem string) {
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
func (a *api) fail(c *gin.Context, err error) {
	if blocked := (*limits.Error)(nil); errors.As(err, &blocked) && httpkit.WantsHTML(c.Request) {
		httpkit.Limited(c, blocked)
		a.blocked(c, blocked.RetryAfter())
		return
	}

	if errors.Is(err, app.ErrRenewed) {
		httpkit.SeeOther(c, ownPage(c))
		return
	}

	i := slices.IndexFunc(failures, func(f failure) bool { return errors.Is(err, f.err) })
	if i < 0 {
		httpkit.Fail(c, err)
		return
	}

	f := failures[i]
	texts := a.texts.For(c.Request, "")
	message := webui.Message{
		Title: texts.T(f.key + ".title"),
		Lead:  texts.T(f.key + ".what"),
		Text:  texts.T(f.key + ".do"),
	}
	a.wayOn(c, &message, f.key, texts)
	message.Reference = httpkit.Reference(c)
	if f.status == http.StatusForbidden { // possibly an attack
		a.App.Refused(c.Request.Context(), a.browser(c), f.key)
	} else {
		a.Shown(c.Request.Context(), httpkit.Problem{
			Status:    f.status,
			Code:      oauth.Code(f.key),
			Reference: message.Reference,
			Address:   httpkit.ClientAddr(c),
		})
	}

	a.UI.Message(c.Writer, c.Request, f.status, message, webui.PageOptions{Texts: texts})
}

// ownPage returns the page that a refused form came from.
func ownPage(c *gin.Context) string {
	if flow := c.Param("flow"); flow != "" {
		return flowPath(flow)
	}
	return accountPasswordPath
}

// blocked tells the person when to try again, in words and by Retry-After (RFC 6585 4).
func (a *api) blocked(c *gin.Context, wait time.Duration) {
	texts := a.texts.For(c.Request, "")
	c.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	a.UI.Message(c.Writer, c.Request, http.StatusTooManyRequests, webui.Message{
		Title:     texts.T("limited.title"),
		Lead:      texts.T("limited.what"),
		Text:      texts.T("limited.do", texts.In(wait)),
		Reference: httpkit.Reference(c),
		Link:      &webui.Link{Href: ownPage(c), Label: texts.T("limited.link")},
	}, webui.PageOptions{Texts: texts})
}
