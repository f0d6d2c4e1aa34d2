package httpapi

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/device/internal/app"
)

// page serves the URL that devices show (RFC 8628 3.3). Without parameters it asks for the
// code, with a code it asks for the decision, and with a flow it handles a browser that
// returns from the sign-in pages.
func (a *api) page(c *gin.Context) {
	httpkit.NoStore(c)
	params, err := httpkit.Query(c)
	if err == nil && params.Twice("user_code", "flow") != "" {
		err = oauth.Errorf(oauth.InvalidRequest, "a parameter was sent more than once")
	}

	switch {
	case err != nil:
		httpkit.Fail(c, err)
	case params.Get("flow") != "":
		a.returned(c, params.Get("flow"))
	case params.Get("user_code") != "":
		a.show(c, params.Get("user_code"))
	default:
		a.askForCode(c, http.StatusOK, "", "")
	}
}

func (a *api) returned(c *gin.Context, flow string) {
	userCode, pages, err := a.Device.Return(c.Request.Context(), flow, a.visitor(c))
	switch {
	case errors.Is(err, app.ErrSignInGone) && httpkit.WantsHTML(c.Request):
		a.askForCode(c, http.StatusBadRequest, "", "device.enter.gone")
	case err != nil:
		httpkit.Fail(c, err)
	case pages != "":
		httpkit.SeeOther(c, oauth.FlowsPath+url.PathEscape(pages))
	default:
		httpkit.SeeOther(c, pagePath+"?user_code="+url.QueryEscape(userCode))
	}
}

// show leads from a code to the page that asks for the decision, by way of the sign-in
// pages if the person isn't signed in, or to the decision that the person has already made.
func (a *api) show(c *gin.Context, typed string) {
	visitor := a.visitor(c)
	visit, err := a.Device.Look(c.Request.Context(), typed, visitor)
	switch {
	case visit.Decided != grants.DeviceUndecided:
		a.done(c, "device."+string(visit.Decided), visit)
	case errors.Is(err, app.ErrUnknownCode):
		a.askForCode(c, http.StatusNotFound, typed, "device.enter.unknown")
	case errors.Is(err, app.ErrSignInFirst):
		a.signInFirst(c, typed, visitor)
	case err != nil:
		httpkit.Fail(c, err)
	case visit.Session == nil:
		a.signIn(c, visit, visitor)
	default:
		a.askForDecision(c, visit, visitor)
	}
}

func (a *api) signIn(c *gin.Context, visit *app.Visit, visitor app.Visitor) {
	flow, browser, err := a.Device.SignIn(c.Request.Context(), visit, visitor)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	if browser != "" {
		a.Jar.SetBrowser(c.Writer, browser)
	}

	httpkit.SeeOther(c, oauth.FlowsPath+url.PathEscape(flow))
}

// userCodeForm shows how a user code is written, in two groups (RFC 8628 6.1).
const userCodeForm = "XXXX-XXXX"

type enterData struct {
	Action string
	Code   webui.Field
	SignIn string // where to sign in first; empty if not required
}

// signInFirst asks a person to sign in before the code is looked up. The link leads through the
// sign-in pages and back, with the code.
func (a *api) signInFirst(c *gin.Context, typed string, visitor app.Visitor) {
	userCode, _ := oauth.NormalizeUserCode(typed)
	flow, browser, err := a.Device.SignInBefore(c.Request.Context(), userCode, visitor)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	if browser != "" {
		a.Jar.SetBrowser(c.Writer, browser)
	}

	a.enterPage(c, http.StatusForbidden, typed, "device.enter.sign_in", oauth.FlowsPath+url.PathEscape(flow))
}

// askForCode shows the page that asks for the code. problem is the key of what was wrong
// with the typed one, or empty.
func (a *api) askForCode(c *gin.Context, status int, typed, problem string) {
	a.enterPage(c, status, typed, problem, "")
}

func (a *api) enterPage(c *gin.Context, status int, typed, problem, signIn string) {
	texts := a.texts.For(c.Request, "")

	if len(typed) > 64 {
		typed = ""
	}

	field := webui.Field{
		Name:         "user_code",
		Label:        texts.T("device.enter.label"),
		Hint:         texts.T("device.enter.hint"),
		Value:        typed,
		Placeholder:  userCodeForm,
		Autocomplete: "off",
		Autocapital:  "characters",
		Required:     true,
		Autofocus:    true,
		ErrorAbove:   true,
		Code:         true,
	}

	view := webui.View{Title: texts.T("device.enter.title"), Lead: texts.T("device.enter.lead")}
	if problem != "" {
		field.Error = texts.T(problem)
		view.Invalid = []webui.Field{field}
	}

	view.Data = enterData{
		Action: pagePath,
		Code:   field,
		SignIn: signIn,
	}
	a.UI.Render(c.Writer, c.Request, status, a.enter, view, webui.PageOptions{Texts: texts})
}

type approveData struct {
	Action   string
	UserCode string
	From     string // empty if unknown
	CSRF     string
	Account  string
	Scopes   []webui.ScopeLine
	Resource string // the resource that the scopes are for, or empty
	Warning  webui.Notice
}

// askForDecision shows the application, what it asks for and from where, and warns that
// only the person who started this should continue (RFC 8628 5.4). It does so for
// first-party applications too, and also if the code came with a link.
func (a *api) askForDecision(c *gin.Context, visit *app.Visit, visitor app.Visitor) {
	texts := a.texts.For(c.Request, "")
	data := approveData{
		Action:   verifyPath,
		UserCode: visit.Code.UserCode,
		CSRF:     csrfToken(visitor, visit),
		Account:  directory.ReadableEmail(visit.User.Email),
		From:     askedFrom(texts, visit, visitor),
		Scopes:   texts.Scopes(visit.Code.Scope),
		Resource: visit.App.ResourceFor(visit.Code.Resource),
		Warning:  webui.Notice{Kind: webui.Warning, Text: texts.T("device.approve.warning")},
	}

	view := webui.View{
		Title:   texts.T("device.approve.title"),
		Heading: texts.T("device.approve.heading", visit.App.Name),
		Lead:    texts.T("device.approve.lead"),
		Data:    data,
	}

	a.UI.Render(withOrigin{c.Writer}, c.Request, http.StatusOK, a.approve, view, webui.PageOptions{Texts: texts})
}

// askedFrom returns the text that says where the device asked from and whether the person
// is in the same place. A code sent by an attacker comes from elsewhere (RFC 8628 5.4). It
// leaves out what the device says about itself, since an attacker would choose the words.
func askedFrom(texts webui.Texts, visit *app.Visit, visitor app.Visitor) string {
	asked, err := netip.ParseAddr(visit.Code.Address)
	switch {
	case err != nil:
		return ""
	case limits.Address(asked) == limits.Address(visitor.Address):
		return texts.T("device.approve.same", asked)
	default:
		return texts.T("device.approve.other", asked)
	}
}

// withOrigin allows a page's form to send its origin. With the policy no-referrer, Origin
// is null (Fetch 3.1), and a browser without Sec-Fetch-Site couldn't show that the page is
// ours.
type withOrigin struct{ http.ResponseWriter }

func (w withOrigin) WriteHeader(status int) {
	w.Header().Set("Referrer-Policy", "same-origin")
	w.ResponseWriter.WriteHeader(status)
}

// done tells the person to return to their device.
func (a *api) done(c *gin.Context, key string, visit *app.Visit) {
	texts := a.texts.For(c.Request, "")
	a.UI.Message(c.Writer, c.Request, http.StatusOK, webui.Message{
		Title: texts.T(key + ".title"), Lead: texts.T(key+".lead", visit.App.Name),
	}, webui.PageOptions{Texts: texts})
}
