package httpapi

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/device/internal/app"
)

// page is the address that devices show (RFC 8628 3.3): with nothing it asks for
// the code, with a code it asks for the decision, with a flow somebody returns
// from signing in.
func (a *API) page(c *gin.Context) {
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

func (a *API) returned(c *gin.Context, flow string) {
	userCode, pages, err := a.device.Return(c.Request.Context(), flow, a.visitor(c))
	switch {
	case errors.Is(err, app.ErrSignInGone) && httpkit.WantsHTML(c.Request):
		a.askForCode(c, http.StatusBadRequest, "", "device.enter.gone")
	case err != nil:
		httpkit.Fail(c, err)
	case pages != "":
		httpkit.SeeOther(c, flowsPath+url.PathEscape(pages))
	default:
		httpkit.SeeOther(c, pagePath+"?user_code="+url.QueryEscape(userCode))
	}
}

// show leads from a code to the page that asks for the decision, by the sign-in
// pages where nobody is signed in, or to what the person has decided already.
func (a *API) show(c *gin.Context, typed string) {
	visitor := a.visitor(c)
	visit, err := a.device.Look(c.Request.Context(), typed, visitor)
	switch {
	case visit.Decided != grants.DeviceUndecided:
		a.done(c, "device."+string(visit.Decided), visit)
	case unknownCode(err):
		a.askForCode(c, http.StatusNotFound, typed, "device.enter.unknown")
	case app.SignInFirst(err):
		a.askForCode(c, http.StatusForbidden, typed, signInFirst)
	case err != nil:
		httpkit.Fail(c, err)
	case visit.Session == nil:
		a.signIn(c, visit, visitor)
	default:
		a.askForDecision(c, visit, visitor)
	}
}

// unknownCode reports whether an error says that no device waits with the code.
func unknownCode(err error) bool {
	var refusal *oauth.Error
	return errors.As(err, &refusal) && refusal.Status() == http.StatusNotFound
}

func (a *API) signIn(c *gin.Context, visit *app.Visit, visitor app.Visitor) {
	flow, browser, err := a.device.SignIn(c.Request.Context(), visit, visitor)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	if browser != "" {
		a.jar.SetBrowser(c.Writer, browser)
	}

	httpkit.SeeOther(c, flowsPath+url.PathEscape(flow))
}

// userCodeForm shows how a user code is written: two groups (RFC 8628 6.1).
const userCodeForm = "XXXX-XXXX"

type enterData struct {
	Action string
	Code   webui.Field
	SignIn string // where to sign in first; empty: not asked for
}

// accountPath asks for a sign-in where no application or device does.
const accountPath = "/account"

// signInFirst is the problem of a person who is asked to sign in before the code is
// looked up.
const signInFirst = "device.enter.sign_in"

// askForCode shows the page that asks for the code; problem is the key of what was
// wrong with the one typed, or empty.
func (a *API) askForCode(c *gin.Context, status int, typed, problem string) {
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

	data := enterData{Action: pagePath, Code: field}
	if problem == signInFirst {
		data.SignIn = accountPath
	}

	view.Data = data
	a.ui.Render(c.Writer, c.Request, status, a.enter, view, webui.PageOptions{Texts: texts})
}

type approveData struct {
	Action   string
	UserCode string
	From     string // empty: not known
	CSRF     string
	Account  string
	Scopes   []webui.ScopeLine
	Resource string // that they are for, or empty
	Warning  webui.Notice
}

// askForDecision names the application, what it asks for, where from, and that only who
// started this should go on (RFC 8628 5.4): also for a first-party application,
// and also when the code came with a link.
func (a *API) askForDecision(c *gin.Context, visit *app.Visit, visitor app.Visitor) {
	texts := a.texts.For(c.Request, "")
	data := approveData{
		Action:   verifyPath,
		UserCode: visit.Code.UserCode,
		CSRF:     csrfToken(visitor, visit),
		Account:  visit.User.Email,
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

	a.ui.Render(withOrigin{c.Writer}, c.Request, http.StatusOK, a.approve, view, webui.PageOptions{Texts: texts})
}

// askedFrom says where the device asked from, and whether that is where the person
// is: a code that somebody sent comes from elsewhere (RFC 8628 5.4). What the device
// says of itself is left out: an attacker would choose the words.
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

// withOrigin lets a page's form name where it comes from: with no referrer at all
// Origin is null (Fetch 3.1), and a browser without Sec-Fetch-Site could not say
// that the page is ours.
type withOrigin struct{ http.ResponseWriter }

func (w withOrigin) WriteHeader(status int) {
	w.Header().Set("Referrer-Policy", "same-origin")
	w.ResponseWriter.WriteHeader(status)
}

// done tells the person that they can go back to their device.
func (a *API) done(c *gin.Context, key string, visit *app.Visit) {
	texts := a.texts.For(c.Request, "")
	a.ui.Message(c.Writer, c.Request, http.StatusOK, webui.Message{
		Title: texts.T(key + ".title"), Lead: texts.T(key+".lead", visit.App.Name),
	}, webui.PageOptions{Texts: texts})
}
