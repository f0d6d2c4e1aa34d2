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

// logoutPages serves the end session endpoint and its confirmation page.
type logoutPages struct {
	*frame
	app *app.Logout
}

// logout serves the end session endpoint (OpenID Connect RP-Initiated Logout 1.0 2).
func (h *logoutPages) logout(c *gin.Context) {
	params, err := httpkit.Query(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	out, ok := h.prepare(c, params)
	if !ok {
		return
	}

	switch {
	case out.AtOnce:
		if h.endSession(c, out) {
			h.signedOut(c, out, params)
		}
	case out.Session == nil:
		h.clear(c)
		h.signedOutPage(c, out, params)
	default:
		h.confirm(c, out, params)
	}
}

// logoutPost handles the confirmation page's form. Any other POST comes from an
// application: sent across sites it carries no Lax cookies, so it is redirected to a GET,
// which does.
func (h *logoutPages) logoutPost(c *gin.Context) {
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

	out, ok := h.prepare(c, form)
	if !ok {
		return
	}

	if !cookie.CheckCSRF(h.jar.Browser(c.Request), logoutPurpose(out), token) { // another person's by now, say
		httpkit.SeeOther(c, ownGet(form))
		return
	}

	if !h.endSession(c, out) {
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

func (h *logoutPages) prepare(c *gin.Context, params *httpkit.Params) (*app.PreparedLogout, bool) {
	if params.Twice(logoutParams...) != "" {
		httpkit.Fail(c, repeated())
		return nil, false
	}

	out, err := h.app.Prepare(c.Request.Context(), app.LogoutRequest{
		IDTokenHint:           params.Get("id_token_hint"),
		ClientID:              params.Get("client_id"),
		PostLogoutRedirectURI: params.Get("post_logout_redirect_uri"),
		State:                 params.Get("state"),
	}, h.browser(c))
	if err != nil {
		httpkit.Fail(c, err)
		return nil, false
	}

	return out, true
}

func (h *logoutPages) endSession(c *gin.Context, out *app.PreparedLogout) bool {
	fresh, err := h.app.End(c.Request.Context(), out, h.browser(c))
	if err != nil {
		httpkit.Fail(c, err)
		return false
	}

	h.leave(c, fresh)
	return true
}

func (h *logoutPages) signedOut(c *gin.Context, out *app.PreparedLogout, params *httpkit.Params) {
	if out.ReturnTo != "" {
		httpkit.SeeOther(c, out.ReturnTo)
		return
	}
	h.signedOutPage(c, out, params)
}

// signedOutPage only links to the application rather than redirecting, since it isn't
// proven that the application sent the request.
func (h *logoutPages) signedOutPage(c *gin.Context, out *app.PreparedLogout, params *httpkit.Params) {
	t := h.texts.For(c.Request, params.Get("ui_locales"))
	message := webui.Message{Title: t.T("signed_out.title"), Lead: t.T("signed_out.lead")}
	if out.ReturnTo != "" {
		message.Link = &webui.Link{Href: out.ReturnTo, Label: t.T("signed_out.return", out.App.Name)}
	}
	h.ui.Message(c.Writer, c.Request, http.StatusOK, message, webui.PageOptions{Texts: t})
}

func (h *logoutPages) confirm(c *gin.Context, out *app.PreparedLogout, params *httpkit.Params) {
	browser, err := h.ownBrowser(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	t := h.texts.For(c.Request, params.Get("ui_locales"))
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
	h.ui.Render(c.Writer, c.Request, http.StatusOK, h.pages["logout"], view, opts)
}
