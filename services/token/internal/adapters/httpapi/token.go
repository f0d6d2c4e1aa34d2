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
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
)

// Options hold what the endpoints call. Every field is required.
type Options struct {
	Issuer       *app.Issuer
	UserInfo     *app.UserInfo
	Revoker      *app.Revoker
	Introspector *app.Introspector
	Origins      *app.Origins
}

// New returns the handlers by operation id. As the endpoints parse no pages, the error is nil.
func New(o Options) (map[string]gin.HandlerFunc, error) {
	return map[string]gin.HandlerFunc{
		"token":        func(c *gin.Context) { token(c, o.Issuer, o.Origins) },
		"userinfo":     func(c *gin.Context) { claims(c, o.UserInfo, o.Origins) },
		"userinfoPost": func(c *gin.Context) { claims(c, o.UserInfo, o.Origins) },
		"revoke":       func(c *gin.Context) { revoke(c, o.Revoker, o.Origins) },
		"introspect":   func(c *gin.Context) { introspect(c, o.Introspector) },
	}, nil
}

// tokenResponse is the response of RFC 6749 5.1, OpenID Connect Core 3.1.3.3 and RFC 8693
// 2.2.1.
type tokenResponse struct {
	AccessToken string `json:"access_token"`
	// IssuedTokenType is set only for exchanges.
	IssuedTokenType oauth.TokenType `json:"issued_token_type,omitempty"`
	TokenType       string          `json:"token_type"`
	ExpiresIn       int64           `json:"expires_in"` // seconds
	Scope           string          `json:"scope,omitempty"`
	IDToken         string          `json:"id_token,omitempty"`
	// RefreshToken replaces the presented one, which can't be used again.
	RefreshToken string `json:"refresh_token,omitempty"`
}

func token(c *gin.Context, issuer *app.Issuer, origins *app.Origins) {
	httpkit.NoStore(c)
	form, err := httpkit.Form(c)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	allowClient(c, origins, form)
	request, err := parseToken(form, c.Request.Header["Authorization"])
	if err != nil {
		failToken(c, err)
		return
	}

	request.Address = httpkit.ClientAddr(c)
	answer, err := issuer.Issue(c.Request.Context(), request)
	if err != nil {
		failToken(c, err)
		return
	}

	httpkit.JSON(c, http.StatusOK, tokenResponse{
		AccessToken:     answer.AccessToken,
		IssuedTokenType: answer.IssuedTokenType,
		TokenType:       tokenType(answer),
		ExpiresIn:       int64(answer.ExpiresIn / time.Second),
		Scope:           answer.Scope.String(),
		IDToken:         answer.IDToken,
		RefreshToken:    answer.RefreshToken,
	})
}

// tokenType returns how to use the issued token. It is N_A if it isn't an access token (RFC
// 8693 2.2.1).
func tokenType(answer *app.Answer) string {
	if answer.IssuedTokenType != "" && answer.IssuedTokenType != oauth.TokenTypeAccessToken {
		return domain.NotAnAccessToken
	}
	return domain.Bearer
}

// tokenFields lists the parameters of a token request, except resource and audience, which
// may repeat.
var tokenFields = append([]string{
	"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "device_code", "scope",
	"subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type",
}, credentialFields...)

// credentialFields lists the parameters that parseCredentials reads.
var credentialFields = []string{"client_id", "client_secret", "client_assertion_type", "client_assertion"}

// parseToken reads a token request (RFC 6749 3.2). No parameter may repeat, except resource
// (RFC 8707 2) and audience (RFC 8693 2.1). Empty parameters count as absent.
func parseToken(form *httpkit.Params, authorization []string) (app.Request, error) {
	if form.Twice(tokenFields...) != "" {
		return app.Request{}, errRepeated()
	}

	if err := form.Missing("grant_type"); err != nil {
		return app.Request{}, err
	}

	credentials, err := parseCredentials(form, authorization)
	if err != nil {
		return app.Request{}, err
	}

	return app.Request{
		Caller:       app.Caller{Credentials: credentials},
		GrantType:    oauth.GrantType(form.Get("grant_type")),
		Code:         form.Get("code"),
		RedirectURI:  form.Get("redirect_uri"),
		CodeVerifier: form.Get("code_verifier"),
		RefreshToken: form.Get("refresh_token"),
		DeviceCode:   form.Get("device_code"),
		Exchange:     parseExchange(form),
		Scope:        form.Get("scope"),
		Resources:    form.All("resource"),
		Audiences:    form.All("audience"),
	}, nil
}

// parseExchange reads the parameters that only an exchange has (RFC 8693 2.1).
func parseExchange(form *httpkit.Params) app.Exchange {
	return app.Exchange{
		SubjectToken:       form.Get("subject_token"),
		SubjectTokenType:   oauth.TokenType(form.Get("subject_token_type")),
		ActorToken:         form.Get("actor_token"),
		ActorTokenType:     oauth.TokenType(form.Get("actor_token_type")),
		RequestedTokenType: oauth.TokenType(form.Get("requested_token_type")),
	}
}

// parseCredentials reads the credentials of the application that sends the request (RFC
// 6749 2.3, RFC 7521 4.2).
func parseCredentials(form *httpkit.Params, authorization []string) (clientauth.Credentials, error) {
	return clientauth.ParseForm(authorization, clientauth.Form{
		ClientID:      form.Get("client_id"),
		ClientSecret:  form.Get("client_secret"),
		AssertionType: form.Get("client_assertion_type"),
		Assertion:     form.Get("client_assertion"),
	})
}

func errRepeated() error {
	return oauth.Errorf(oauth.InvalidRequest, "a parameter was sent more than once")
}

// failToken adds the challenge if the client used the Authorization header (RFC 6749 5.2).
func failToken(c *gin.Context, err error) {
	if refusal, ok := errors.AsType[*clientauth.Error](err); ok && refusal.Challenge {
		c.Header("WWW-Authenticate", clientauth.Challenge)
	}
	httpkit.Fail(c, err)
}
