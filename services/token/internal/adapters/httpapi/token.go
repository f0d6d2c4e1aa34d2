package httpapi

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/app"
)

// Handlers are the service's operations by their id in openapi.yaml.
func Handlers(issuer *app.Issuer, userInfo *app.UserInfo) map[string]gin.HandlerFunc {
	return map[string]gin.HandlerFunc{
		"token":        func(c *gin.Context) { token(c, issuer) },
		"userinfo":     func(c *gin.Context) { claims(c, userInfo) },
		"userinfoPost": func(c *gin.Context) { claims(c, userInfo) },
	}
}

// tokenResponse is RFC 6749 5.1 and OpenID Connect Core 3.1.3.3.
type tokenResponse struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	Scope       string `json:"scope,omitempty"`
	IDToken     string `json:"id_token,omitempty"`
}

func token(c *gin.Context, issuer *app.Issuer) {
	httpkit.NoStore(c)
	form, err := httpkit.Form(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}
	request, err := parseToken(form, c.Request.Header["Authorization"])
	if err != nil {
		failToken(c, err)
		return
	}
	answer, err := issuer.Issue(c.Request.Context(), request)
	if err != nil {
		failToken(c, err)
		return
	}
	httpkit.JSON(c, http.StatusOK, tokenResponse{
		AccessToken: answer.AccessToken,
		TokenType:   "Bearer",
		ExpiresIn:   int64(answer.ExpiresIn / time.Second),
		Scope:       answer.Scope.String(),
		IDToken:     answer.IDToken,
	})
}

// parseToken reads a token request (RFC 6749 3.2): no parameter twice, save
// resource (RFC 8707 2) and audience (RFC 8693 2.1), and empty ones are absent.
func parseToken(form *httpkit.Params, authorization []string) (app.Request, error) {
	if form.Repeated("resource", "audience") != "" {
		return app.Request{}, errRepeated()
	}
	if err := form.Missing("grant_type"); err != nil {
		return app.Request{}, err
	}
	credentials, err := clientauth.Parse(authorization, form.Get("client_id"), form.Get("client_secret"))
	if err != nil {
		return app.Request{}, err
	}
	return app.Request{
		GrantType:    oauth.GrantType(form.Get("grant_type")),
		Credentials:  credentials,
		Code:         form.Get("code"),
		RedirectURI:  form.Get("redirect_uri"),
		CodeVerifier: form.Get("code_verifier"),
		DeviceCode:   form.Get("device_code"),
		Scope:        form.Get("scope"),
		Resources:    form.All("resource"),
		Audiences:    form.All("audience"),
	}, nil
}

func errRepeated() error {
	return oauth.Errorf(oauth.InvalidRequest, "a parameter was sent more than once")
}

// failToken adds the challenge where the Authorization header was tried (RFC
// 6749 5.2).
func failToken(c *gin.Context, err error) {
	if refusal, ok := errors.AsType[*clientauth.Error](err); ok && refusal.Challenge {
		c.Header("WWW-Authenticate", clientauth.Challenge)
	}
	httpkit.Fail(c, err)
}
