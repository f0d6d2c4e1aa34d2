package httpapi

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/app"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/domain"
)

// flowParameter is the parameter with which the sign-in pages send a browser back.
const flowParameter = "flow"

// Options hold what the endpoint needs. Every field is required.
type Options struct {
	Authorizer *app.Authorizer
	Jar        cookie.Jar
	UI         *webui.UI
}

type api struct{ Options }

// New returns the handlers by operation id. As the endpoints parse no pages, the error is nil.
func New(o Options) (map[string]gin.HandlerFunc, error) {
	a := &api{o}
	return map[string]gin.HandlerFunc{"authorize": a.get, "authorizePost": a.post}, nil
}

func (a *api) get(c *gin.Context) {
	params, err := httpkit.Query(c)
	if err != nil {
		a.write(c, nil, err)
		return
	}

	// Only our own pages continue a flow, so a request that happens to carry a parameter of
	// that name takes precedence: unknown parameters are ignored (RFC 6749 3.1).
	if params.Get(flowParameter) != "" && !params.Has("client_id") {
		a.resume(c, params)
		return
	}

	request, err := parse(params)
	if err != nil {
		a.write(c, nil, err)
		return
	}

	answer, err := a.Authorizer.Start(c.Request.Context(), request, a.visitor(c))
	a.write(c, answer, err)
}

// SilentRenewal reports whether a request comes from a hidden frame and asks for an answer
// without any page (OpenID Connect Core 3.1.2.1, prompt=none). Such a request stores
// nothing for a person who isn't signed in. In a frame on another site's page the browser
// sends no cookies, and the application gets login_required at once; a session's code is
// issued only if the embedding page is of the same site.
func SilentRenewal(r *http.Request) bool {
	query := r.URL.Query()
	return r.Method == http.MethodGet && httpkit.InFrame(r) && query.Get("prompt") == oauth.PromptNone &&
		query.Has("client_id")
}

func (a *api) resume(c *gin.Context, params *httpkit.Params) {
	if len(params.All(flowParameter)) > 1 {
		a.write(c, nil, oauth.Errorf(oauth.InvalidRequest, "flow was sent more than once"))
		return
	}

	flow := params.Get(flowParameter)
	answer, err := a.Authorizer.Continue(c.Request.Context(), flow, a.visitor(c))
	if _, over := errors.AsType[*app.OverError](err); over && len(flow) <= grants.MaxFlowID && httpkit.WantsHTML(c.Request) {
		httpkit.SeeOther(c, oauth.FlowsPath+url.PathEscape(flow)+"?problem=over")
		return
	}

	a.write(c, answer, err)
}

// post serves the same request sent as a form, as OpenID Connect Core 3.1.2.1 requires.
func (a *api) post(c *gin.Context) {
	params, err := httpkit.Form(c)
	if err != nil {
		a.write(c, nil, err)
		return
	}

	request, err := parse(params)
	if err != nil {
		a.write(c, nil, err)
		return
	}

	answer, err := a.Authorizer.Keep(c.Request.Context(), request, a.visitor(c))
	a.write(c, answer, err)
}

func parse(params *httpkit.Params) (*domain.Request, error) {
	if err := params.Missing(domain.Required...); err != nil {
		return nil, err
	}

	request, fault := domain.Parse(params.All)
	if fault != nil {
		return nil, fault
	}
	return request, nil
}

func (a *api) visitor(c *gin.Context) app.Visitor {
	return app.Visitor{
		Browser:   a.Jar.Browser(c.Request),
		Session:   a.Jar.Session(c.Request),
		Accounts:  a.Jar.Accounts(c.Request),
		Address:   httpkit.ClientAddr(c),
		Reference: httpkit.Reference(c),
	}
}

// write sends an answer or an error.
func (a *api) write(c *gin.Context, answer *app.Answer, err error) {
	httpkit.NoStore(c)
	c.Header("Referrer-Policy", "no-referrer")

	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	if answer.Browser != "" {
		a.Jar.SetBrowser(c.Writer, answer.Browser)
	}

	switch {
	case answer.Pages != "":
		httpkit.SeeOther(c, oauth.FlowsPath+url.PathEscape(answer.Pages))
	case answer.Self != "":
		httpkit.SeeOther(c, c.Request.URL.Path+"?"+flowParameter+"="+url.QueryEscape(answer.Self))
	case answer.Reply.Mode == oauth.ResponseModeFormPost:
		a.UI.FormPost(c.Writer, c.Request, answer.Reply.RedirectURI, answer.Params)
	default:
		httpkit.SeeOther(c, answer.Reply.Location(answer.Params))
	}
}
