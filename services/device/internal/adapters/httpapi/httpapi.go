package httpapi

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/device/internal/app"
	"github.com/platform-oauth/platform-oauth/services/device/internal/domain"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed messages/*.json
var messageFiles embed.FS

// Paths on the platform's origin.
const (
	pagePath   = oauth.DevicePath
	verifyPath = oauth.IssuerPath + "/device/verify"
)

// API serves the endpoints and pages.
type API struct {
	device  *app.Device
	jar     cookie.Jar
	origin  string
	ui      *webui.UI
	texts   *webui.Catalogue
	enter   *webui.Page
	approve *webui.Page
}

// New parses the pages and returns an API. origin is the platform's own.
func New(device *app.Device, jar cookie.Jar, origin string, ui *webui.UI) (*API, error) {
	a := &API{
		device: device,
		jar:    jar,
		origin: origin,
		ui:     ui,
	}

	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return nil, fmt.Errorf("device pages: %w", err)
	}

	if a.texts, err = ui.Catalogue(messages); err != nil {
		return nil, err
	}

	if a.enter, err = ui.Page(templateFiles, "templates/enter.html"); err != nil {
		return nil, err
	}

	a.approve, err = ui.Page(templateFiles, "templates/approve.html")
	return a, err
}

// Handlers returns the operations by their id.
func (a *API) Handlers() map[string]gin.HandlerFunc {
	return map[string]gin.HandlerFunc{
		"deviceAuthorize":      a.authorize,
		"deviceVerifyInfo":     a.info,
		"deviceVerifyComplete": a.complete,
		"devicePage":           a.page,
	}
}

// issued is the response of RFC 8628 3.2.
type issued struct {
	DeviceCode              string `json:"device_code"`
	UserCode                string `json:"user_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete"`
	ExpiresIn               int    `json:"expires_in"` // seconds
	Interval                int    `json:"interval"`   // seconds
}

func (a *API) authorize(c *gin.Context) {
	httpkit.NoStore(c)
	credentials, request, err := readAuthorize(c)
	if err != nil {
		fail(c, err)
		return
	}

	codes, err := a.device.Authorize(c.Request.Context(), credentials, httpkit.ClientAddr(c), request)
	if err != nil {
		fail(c, err)
		return
	}

	uri := a.origin + pagePath
	httpkit.JSON(c, http.StatusOK, issued{
		DeviceCode:              codes.DeviceCode,
		UserCode:                codes.UserCode,
		VerificationURI:         uri,
		VerificationURIComplete: uri + "?user_code=" + url.QueryEscape(codes.UserCode),
		ExpiresIn:               int(codes.ExpiresIn / time.Second),
		Interval:                int(codes.Interval / time.Second),
	})
}

func readAuthorize(c *gin.Context) (clientauth.Credentials, domain.Request, error) {
	params, err := httpkit.Form(c)
	if err != nil {
		return clientauth.Credentials{}, domain.Request{}, err
	}

	// Credentials name their client, in an assertion or by Basic authentication (RFC 8628 3.1).
	named := params.Get("client_assertion") != "" || c.GetHeader("Authorization") != ""
	if err := params.Missing("client_id"); err != nil && !named {
		return clientauth.Credentials{}, domain.Request{}, err
	}

	if params.Twice("client_id", "client_secret", "client_assertion_type", "client_assertion", "scope") != "" {
		return clientauth.Credentials{}, domain.Request{}, oauth.Errorf(oauth.InvalidRequest,
			"a parameter was sent more than once")
	}

	credentials, err := clientauth.ParseForm(c.Request.Header.Values("Authorization"), clientauth.Form{
		ClientID:      params.Get("client_id"),
		ClientSecret:  params.Get("client_secret"),
		AssertionType: params.Get("client_assertion_type"),
		Assertion:     params.Get("client_assertion"),
	})

	return credentials, domain.Request{Scope: params.Get("scope"), Resources: params.All("resource")}, err
}

// fail adds the challenge that RFC 6749 5.2 requires if the client used Basic
// authentication.
func fail(c *gin.Context, err error) {
	var refused *clientauth.Error
	if errors.As(err, &refused) && refused.Challenge {
		c.Header("WWW-Authenticate", clientauth.Challenge)
	}
	httpkit.Fail(c, err)
}

// verification describes what a user code stands for.
type verification struct {
	ApplicationName string   `json:"application_name"`
	ClientID        string   `json:"client_id"`
	Scopes          []string `json:"scopes"`
	Resource        string   `json:"resource,omitempty"`
	UserCode        string   `json:"user_code"`
	ExpiresIn       int      `json:"expires_in"` // seconds
	CSRFToken       string   `json:"csrf_token,omitempty"`
}

func (a *API) info(c *gin.Context) {
	httpkit.NoStore(c)
	params, err := httpkit.Query(c)
	if err == nil {
		err = params.Missing("user_code")
	}
	if err == nil && params.Twice("user_code") != "" {
		err = oauth.Errorf(oauth.InvalidRequest, "a parameter was sent more than once")
	}

	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	if httpkit.WantsHTML(c.Request) {
		a.show(c, params.Get("user_code"))
		return
	}

	visitor := a.visitor(c)
	visit, err := a.device.Look(c.Request.Context(), params.Get("user_code"), visitor)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	answer := verification{
		ApplicationName: visit.App.Name,
		ClientID:        visit.App.ClientID,
		Scopes:          visit.Code.Scope,
		Resource:        visit.App.ResourceFor(visit.Code.Resource),
		UserCode:        visit.Code.UserCode,
		ExpiresIn:       int(visit.Code.ExpiresAt.Sub(a.device.Now()) / time.Second),
	}
	if visit.Session != nil {
		answer.CSRFToken = csrfToken(visitor, visit)
	}

	httpkit.JSON(c, http.StatusOK, answer)
}

// csrfToken returns a token that is bound to the session, whose cookie is the key, and to
// what the page shows.
func csrfToken(visitor app.Visitor, visit *app.Visit) string {
	return cookie.CSRFToken(visitor.Session, csrfPurpose(visit))
}

// csrfPurpose returns what a person decides on, so that a decision counts only for this
// person and tenant, this code, and what its device asks for.
func csrfPurpose(visit *app.Visit) string {
	return cookie.Purpose("device",
		visit.Session.ID, visit.Session.UserID, visit.Session.TenantID,
		visit.Code.UserCode, visit.Code.ClientID, visit.Code.Scope.String(), visit.Code.Resource,
	)
}

func (a *API) visitor(c *gin.Context) app.Visitor {
	return app.Visitor{
		Browser:   a.jar.Browser(c.Request),
		Session:   a.jar.Session(c.Request),
		Address:   httpkit.ClientAddr(c),
		Reference: httpkit.Reference(c),
	}
}
