package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/services/token/internal/app"
)

// revoke implements RFC 7009 2. The response is empty, since there is nothing to report
// (2.2).
func revoke(c *gin.Context, revoker *app.Revoker, origins *app.Origins) {
	request, ok := aboutToken(c, origins)
	if !ok {
		return
	}

	if err := revoker.Revoke(c.Request.Context(), request); err != nil {
		failToken(c, err)
		return
	}

	c.Status(http.StatusOK)
}

// introspect implements RFC 7662 2.
func introspect(c *gin.Context, introspector *app.Introspector) {
	request, ok := aboutToken(c, nil)
	if !ok {
		return
	}

	document, err := introspector.Introspect(c.Request.Context(), request)
	if err != nil {
		failToken(c, err)
		return
	}

	httpkit.JSON(c, http.StatusOK, document)
}

// aboutToken reads a request about a token, or answers it with an error. origins is nil if
// no web page of another origin may read the response.
func aboutToken(c *gin.Context, origins *app.Origins) (request app.TokenRequest, ok bool) {
	httpkit.NoStore(c)
	form, err := httpkit.Form(c)
	if err != nil {
		httpkit.Fail(c, err)
		return request, false
	}

	if origins != nil {
		allowClient(c, origins, form)
	}

	request, err = parseAboutToken(form, c.Request.Header["Authorization"])
	if err != nil {
		failToken(c, err)
		return request, false
	}

	request.Address = httpkit.ClientAddr(c)
	return request, true
}

var aboutTokenFields = append([]string{"token", "token_type_hint"}, credentialFields...)

// parseAboutToken reads the token and the caller's credentials (RFC 7009 2.1, RFC 7662
// 2.1). No parameter may repeat. token_type_hint is accepted and ignored, as both RFCs
// allow.
func parseAboutToken(form *httpkit.Params, authorization []string) (app.TokenRequest, error) {
	if form.Twice(aboutTokenFields...) != "" {
		return app.TokenRequest{}, errRepeated()
	}

	credentials, err := parseCredentials(form, authorization)
	if err != nil {
		return app.TokenRequest{}, err
	}
	return app.TokenRequest{Caller: app.Caller{Credentials: credentials}, Token: form.Get("token")}, nil
}
