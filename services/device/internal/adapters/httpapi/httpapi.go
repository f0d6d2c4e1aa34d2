package httpapi

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
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

// Options hold what the endpoints and pages need. Every field is required.
type Options struct {
	Device *app.Device
	Jar    cookie.Jar
	Origin string // the platform's own
	// Known reports whether an application has registered an origin for its pages (CORS).
	Known func(ctx context.Context, origin string) (bool, error)
	UI    *webui.UI
}

type api struct {
	Options
	texts   *webui.Catalogue
	enter   *webui.Page
	approve *webui.Page
}

// New parses the pages and returns the handlers by operation id.
func New(o Options) (map[string]gin.HandlerFunc, error) {
	a := &api{Options: o}
	if err := a.load(); err != nil {
		return nil, err
	}

	return map[string]gin.HandlerFunc{
		"deviceAuthorize":      a.authorize,
		"deviceVerifyInfo":     a.info,
		"deviceVerifyComplete": a.complete,
		"devicePage":           a.page,
	}, nil
}

func (a *api) load() error {
	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return fmt.Errorf("device pages: %w", err)
	}

	if a.texts, err = a.UI.Catalogue(messages); err != nil {
		return err
	}

	if a.enter, err = a.UI.Page(templateFiles, "templates/enter.html"); err != nil {
		return err
	}

	a.approve, err = a.UI.Page(templateFiles, "templates/approve.html")
	return err
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

func (a *api) authorize(c *gin.Context) {
	httpkit.NoStore(c)
	if err := a.refuseForeignPage(c.Request); err != nil {
		httpkit.Fail(c, err)
		return
	}

	credentials, request, err := readAuthorize(c)
	if err != nil {
		fail(c, err)
		return
	}

	codes, err := a.Device.Authorize(c.Request.Context(), credentials, httpkit.ClientAddr(c), request)
	if err != nil {
		fail(c, err)
		return
	}

	uri := a.Origin + pagePath
	httpkit.JSON(c, http.StatusOK, issued{
		DeviceCode:              codes.DeviceCode,
		UserCode:                codes.UserCode,
		VerificationURI:         uri,
		VerificationURIComplete: uri + "?user_code=" + url.QueryEscape(codes.UserCode),
		ExpiresIn:               int(codes.ExpiresIn / time.Second),
		Interval:                int(codes.Interval / time.Second),
	})
}

// refuseForeignPage returns an error if a browser says that a page of another origin sent the
// request (Fetch Metadata, Sec-Fetch-Site) and the page isn't one of an application's. A page
// of any site could otherwise have its visitors' browsers use up what their address may
// request, and fill the store. Such a request always has an Origin (Fetch 3.1), and it is null
// if the page hides its own. Programs, which send no Sec-Fetch-Site, are unaffected.
func (a *api) refuseForeignPage(r *http.Request) error {
	crosses := func(site string) bool { return site == "cross-site" || site == "same-site" }
	if !slices.ContainsFunc(r.Header.Values("Sec-Fetch-Site"), crosses) {
		return nil
	}

	if origins := r.Header.Values("Origin"); len(origins) == 1 {
		if known, err := a.Known(r.Context(), origins[0]); known || err != nil {
			return err
		}
	}

	return forbidden("the request came from a web page that belongs to no registered application")
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

// refuse writes an error about a user code. A program tells those that it can act upon by their
// status.
func refuse(c *gin.Context, err error) {
	switch {
	case errors.Is(err, app.ErrUnknownCode):
		err = withStatus(http.StatusNotFound, app.ErrUnknownCode, err)
	case errors.Is(err, app.ErrSignInFirst):
		err = withStatus(http.StatusUnauthorized, app.ErrSignInFirst, err)
	}

	httpkit.Fail(c, err)
}

// withStatus returns known with a status. If err joins it with another error, that one goes to
// the log.
func withStatus(status int, known *oauth.Error, err error) *oauth.Error {
	answer := *known
	answer.StatusOverride = status
	if _, joined := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); joined {
		answer.Cause = err
	}

	return &answer
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

func (a *api) info(c *gin.Context) {
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
	visit, err := a.Device.Look(c.Request.Context(), params.Get("user_code"), visitor)
	if err != nil {
		refuse(c, err)
		return
	}

	answer := verification{
		ApplicationName: visit.App.Name,
		ClientID:        visit.App.ClientID,
		Scopes:          visit.Code.Scope,
		Resource:        visit.App.ResourceFor(visit.Code.Resource),
		UserCode:        visit.Code.UserCode,
		ExpiresIn:       int(visit.Code.ExpiresAt.Sub(a.Device.Now()) / time.Second),
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

func (a *api) visitor(c *gin.Context) app.Visitor {
	return app.Visitor{
		Browser:   a.Jar.Browser(c.Request),
		Session:   a.Jar.Session(c.Request),
		Address:   httpkit.ClientAddr(c),
		Reference: httpkit.Reference(c),
	}
}
