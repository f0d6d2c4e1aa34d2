package httpapi

import (
	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/services/token/internal/app"
)

// CORSOperations are the operations that pages of SPA applications call. A server
// introspects, not a page.
func CORSOperations() []string { return []string{"token", "userinfo", "userinfoPost", "revoke"} }

// allowClient lets the pages of the application that the form or the header names
// read the answer, also that to a request which is otherwise in disorder. Where no
// application is named, httpkit decides who may read the failure.
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

// allowBearer lets the pages of the application that a token was issued to read
// the answer.
func allowBearer(c *gin.Context, origins *app.Origins, token string) {
	if !httpkit.CrossOrigin(c) {
		return
	}
	if list, found := origins.Bearer(c.Request.Context(), token); found {
		httpkit.AllowOrigin(c, list)
	}
}
