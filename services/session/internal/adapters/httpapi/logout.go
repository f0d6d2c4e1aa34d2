package httpapi

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
)

const logoutPath = oauth.IssuerPath + "/logout"

// logoutParams are the parameters of a logout request, in the order in which the
// confirmation page passes them on.
var logoutParams = []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"}

// confirmation holds the data of the confirmation page.
type confirmation struct {
	Action  string
	CSRF    string
	Address string
	Params  []hidden
}

type hidden struct{ Name, Value string }

// logout serves the end session endpoint (OpenID Connect RP-Initiated Logout 1.0 2).
func (a *api) logout(c *gin.Context) {
	params, err := httpkit.Query(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	out, ok := a.prepare(c, params)
	if !ok {
		return
	}

	switch {
	case out.AtOnce:
		if a.endSession(c, out) {
			a.signedOut(c, out, params)
		}
	case out.Session == nil:
		a.clear(c)
		a.signedOutPage(c, out, params)
	default:
		a.confirm(c, out, params)
	}
}

// logoutPost handles the confirmation page's form. Any other POST comes from an
// application: sent across sites it carries no Lax cookies, so it is redirected to a GET,
// which does.
func (a *api) logoutPost(c *gin.Context) {
	form, err := httpkit.Form(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	if form.Twice(logoutParams...) != "" {
		httpkit.Fail(c, repeated())
		return
	}

	token := form.Get("csrf_token")
	if token == "" {
		httpkit.SeeOther(c, ownGet(form))
		return
	}

	out, ok := a.prepare(c, form)
	if !ok {
		return
	}

	if !cookie.CheckCSRF(a.Jar.Browser(c.Request), logoutPurpose(out), token) { // another person's by now, say
		httpkit.SeeOther(c, ownGet(form))
		return
	}

	if !a.endSession(c, out) {
		return
	}

	if out.ReturnTo != "" {
		httpkit.SeeOther(c, out.ReturnTo)
		return
	}

	httpkit.SeeOther(c, logoutPath)
}

func ownGet(form *httpkit.Params) string {
	query := url.Values{}
	for _, name := range logoutParams {
		if value := form.Get(name); value != "" {
			query.Set(name, value)
		}
	}

	if len(query) == 0 {
		return logoutPath
	}

	return logoutPath + "?" + query.Encode()
}

func repeated() error { return oauth.Errorf(oauth.InvalidRequest, "a parameter was sent twice") }

func (a *api) prepare(c *gin.Context, params *httpkit.Params) (*app.Logout, bool) {
	if params.Twice(logoutParams...) != "" {
		httpkit.Fail(c, repeated())
		return nil, false
	}

	out, err := a.App.PrepareLogout(c.Request.Context(), app.LogoutRequest{
		IDTokenHint:           params.Get("id_token_hint"),
		ClientID:              params.Get("client_id"),
		PostLogoutRedirectURI: params.Get("post_logout_redirect_uri"),
		State:                 params.Get("state"),
	}, a.browser(c))
	if err != nil {
		httpkit.Fail(c, err)
		return nil, false
	}

	return out, true
}

func (a *api) endSession(c *gin.Context, out *app.Logout) bool {
	fresh, err := a.App.EndSession(c.Request.Context(), out, a.browser(c))
	if err != nil {
		httpkit.Fail(c, err)
		return false
	}

	a.leave(c, fresh)
	return true
}

// clear removes the session cookie if there is one, even if its session is long gone.
func (a *api) clear(c *gin.Context) {
	if a.Jar.Session(c.Request) != "" {
		a.Jar.ClearSession(c.Writer)
	}
}

func (a *api) signedOut(c *gin.Context, out *app.Logout, params *httpkit.Params) {
	if out.ReturnTo != "" {
		httpkit.SeeOther(c, out.ReturnTo)
		return
	}
	a.signedOutPage(c, out, params)
}

// signedOutPage only links to the application rather than redirecting, since it isn't
// proven that the application sent the request.
func (a *api) signedOutPage(c *gin.Context, out *app.Logout, params *httpkit.Params) {
	t := a.texts.For(c.Request, params.Get("ui_locales"))
	message := webui.Message{Title: t.T("signed_out.title"), Lead: t.T("signed_out.lead")}
	if out.ReturnTo != "" {
		message.Link = &webui.Link{Href: out.ReturnTo, Label: t.T("signed_out.return", out.App.Name)}
	}
	a.UI.Message(c.Writer, c.Request, http.StatusOK, message, webui.PageOptions{Texts: t})
}

func (a *api) confirm(c *gin.Context, out *app.Logout, params *httpkit.Params) {
	browser, err := a.ownBrowser(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	t := a.texts.For(c.Request, params.Get("ui_locales"))
	data := confirmation{Action: logoutPath, CSRF: cookie.CSRFToken(browser, logoutPurpose(out))}
	if out.Person != nil {
		data.Address = addressOf(out.Person)
	}

	for _, name := range logoutParams {
		if value := params.Get(name); value != "" {
			data.Params = append(data.Params, hidden{Name: name, Value: value})
		}
	}

	view := webui.View{Title: t.T("logout.title"), Lead: t.T("logout.lead"), Data: data}
	if out.App != nil {
		view.Lead = t.T("logout.lead_app", out.App.Name)
	}

	opts := webui.PageOptions{Texts: t, LeadsAway: out.ReturnTo != ""}
	a.UI.Render(c.Writer, c.Request, http.StatusOK, a.pages["logout"], view, opts)
}
