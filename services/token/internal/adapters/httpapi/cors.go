package httpapi

import (
	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/services/token/internal/app"
)

// CORSOperations returns the operations that web pages of SPAs call. Introspection is left
// out, since it is called by servers.
func CORSOperations() []string { return []string{"token", "userinfo", "userinfoPost", "revoke"} }

// allowClient lets the web pages of the application that the form or the header names read
// the response, even if the request is otherwise malformed. If no application is named,
// httpkit decides which pages may read the error.
func allowClient(c *gin.Context, origins *app.Origins, form *httpkit.Params) {
	if !httpkit.CrossOrigin(c) {
		return
	}

	clientID := form.Get("client_id")
	if credentials, err := parseCredentials(form, c.Request.Header["Authorization"]); err == nil {
		clientID = credentials.ClientID
	}
	if list, found := origins.Client(c.Request.Context(), clientID); found {
		httpkit.AllowOrigin(c, list)
	}
}

// allowBearer lets the web pages of the application that a token was issued to read the
// response.
func allowBearer(c *gin.Context, origins *app.Origins, token string) {
	if !httpkit.CrossOrigin(c) {
		return
	}
	if list, found := origins.Bearer(c.Request.Context(), token); found {
		httpkit.AllowOrigin(c, list)
	}
}
