package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/services/device/internal/app"
)

// decision is a signed-in person's decision about a device.
type decision struct {
	UserCode  string `json:"user_code"`
	Action    string `json:"action"`
	CSRFToken string `json:"csrf_token"`
}

// verdict returns the decision that the action stands for.
func (d decision) verdict() (grants.DeviceDecision, *oauth.Error) {
	switch d.Action {
	case "approve":
		return grants.DeviceApproved, nil
	case "deny":
		return grants.DeviceDenied, nil
	default:
		return "", oauth.Errorf(oauth.InvalidRequest, "action must be approve or deny")
	}
}

// complete takes the decision about a device. It checks, in this order, that the body is
// readable, that the request comes from one of our pages, that the person is signed in,
// that the code is waiting, and that the token belongs to that page.
func (a *api) complete(c *gin.Context) {
	httpkit.NoStore(c)
	said, err := readDecision(c)
	if err == nil && !a.ownOrigin(c.Request) {
		err = forbidden("the request did not come from a page of this platform")
	}

	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	visitor := a.visitor(c)
	visit, err := a.Device.Look(c.Request.Context(), said.UserCode, visitor)
	page := httpkit.WantsHTML(c.Request)
	switch {
	case page && visit.Decided != grants.DeviceUndecided: // the button was pressed twice
		a.toResult(c, visit)
	case page && errors.Is(err, app.ErrUnknownCode):
		a.askForCode(c, http.StatusNotFound, said.UserCode, "device.enter.unknown")
	case page && errors.Is(err, app.ErrSignInFirst):
		a.signInFirst(c, said.UserCode, visitor)
	case err != nil && !errors.Is(err, app.ErrUnknownCode):
		refuse(c, err)
	case visit.Session == nil && page:
		a.signIn(c, visit, visitor)
	case visit.Session == nil: // before the code, so that a guess reveals nothing
		httpkit.Fail(c,
			&oauth.Error{
				Code:           oauth.LoginRequired,
				StatusOverride: http.StatusUnauthorized,
				Description:    "sign in first: nobody is signed in in this browser",
			})
	case err != nil:
		refuse(c, err)
	default:
		a.decide(c, visit, visitor, said)
	}
}

func (a *api) decide(c *gin.Context, visit *app.Visit, visitor app.Visitor, said decision) {
	if !cookie.CheckCSRF(visitor.Session, csrfPurpose(visit), said.CSRFToken) {
		if httpkit.WantsHTML(c.Request) { // for example, another person has signed in since
			httpkit.SeeOther(c, pagePath+"?user_code="+url.QueryEscape(visit.Code.UserCode))
			return
		}
		httpkit.Fail(c, forbidden("csrf_token is missing or belongs to another session or code"))
		return
	}

	verdict, refusal := said.verdict()
	if refusal != nil {
		httpkit.Fail(c, refusal)
		return
	}

	err := a.Device.Decide(c.Request.Context(), visit, visitor, verdict)
	switch {
	case err == nil:
		a.decided(c, visit, verdict)
	case visit.Decided != grants.DeviceUndecided && httpkit.WantsHTML(c.Request): // decided in another tab
		a.toResult(c, visit)
	case errors.Is(err, app.ErrSignedInAgain) && httpkit.WantsHTML(c.Request):
		a.toResult(c, visit) // which is the form, as long as nothing is decided
	case errors.Is(err, app.ErrUnknownCode) && httpkit.WantsHTML(c.Request):
		a.askForCode(c, http.StatusNotFound, "", "device.enter.unknown")
	default:
		refuse(c, err)
	}
}

func (a *api) decided(c *gin.Context, visit *app.Visit, verdict grants.DeviceDecision) {
	if httpkit.WantsHTML(c.Request) {
		a.toResult(c, visit)
		return
	}
	httpkit.JSON(c, http.StatusOK, map[string]string{"status": string(verdict)})
}

// toResult redirects to the page that reports the decision, which can be reloaded.
func (a *api) toResult(c *gin.Context, visit *app.Visit) {
	httpkit.SeeOther(c, pagePath+"?user_code="+url.QueryEscape(visit.Code.UserCode))
}

func forbidden(description string) *oauth.Error {
	return &oauth.Error{Code: oauth.InvalidRequest, StatusOverride: http.StatusForbidden, Description: description}
}

// ownOrigin reports whether one of our pages sent the request. If the browser sends
// Sec-Fetch-Site, that decides. An older browser sends our Origin, which the page's
// referrer policy allows (see withOrigin).
func (a *api) ownOrigin(r *http.Request) bool {
	if site := r.Header.Values("Sec-Fetch-Site"); len(site) > 0 {
		return len(site) == 1 && site[0] == "same-origin"
	}
	return r.Header.Get("Origin") == a.Origin
}

// readDecision accepts a form or JSON and nothing else. In particular it refuses
// text/plain, which any page may post to any site.
func readDecision(c *gin.Context) (decision, error) {
	mediaType, _, _ := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if mediaType == "application/json" {
		body, err := httpkit.Body(c)
		if err != nil {
			return decision{}, err
		}
		return parseDecision(body)
	}

	params, err := httpkit.Form(c)
	if err != nil {
		return decision{}, err
	}

	if params.Twice("user_code", "action", "csrf_token") != "" {
		return decision{}, oauth.Errorf(oauth.InvalidRequest, "a parameter was sent more than once")
	}

	return decision{
		UserCode:  params.Get("user_code"),
		Action:    params.Get("action"),
		CSRFToken: params.Get("csrf_token"),
	}, nil
}

func parseDecision(body []byte) (decision, error) {
	var said decision
	decoder := json.NewDecoder(bytes.NewReader(body))
	err := decoder.Decode(&said)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return said, nil
		}
	}
	return decision{}, oauth.Errorf(oauth.InvalidRequest,
		"the request body is not a JSON object with the strings user_code, action and csrf_token")
}
