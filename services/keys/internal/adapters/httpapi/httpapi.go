package httpapi

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/app"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/domain"
)

// Options hold what the endpoints need. Every field is required.
type Options struct {
	Publisher *app.Publisher
}

type api struct{ Options }

// CORSOperations returns the operations whose responses any web page may read. These are
// all of them, since the responses are the same for every caller.
func CORSOperations() []string {
	return []string{"jwks", "openidConfiguration", "authorizationServerMetadata"}
}

// New returns the handlers by operation id. As the endpoints parse no pages, the error is nil.
func New(o Options) (map[string]gin.HandlerFunc, error) {
	a := &api{o}
	jwks := func(d *domain.Documents) domain.Document { return d.JWKS }
	metadata := func(d *domain.Documents) domain.Document { return d.Metadata }
	return map[string]gin.HandlerFunc{
		"jwks":                        a.serve(jwks),
		"openidConfiguration":         a.serve(metadata),
		"authorizationServerMetadata": a.serve(metadata),
	}, nil
}

func (a *api) serve(pick func(*domain.Documents) domain.Document) gin.HandlerFunc {
	return func(c *gin.Context) {
		header := c.Writer.Header()
		documents, err := a.Publisher.Documents()
		if err != nil {
			httpkit.NoStore(c)
			httpkit.Fail(c, err)
			return
		}

		document := pick(documents)
		header.Set("Content-Type", "application/json")
		header.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", a.Publisher.MaxAge(documents)/time.Second))
		header.Set("ETag", document.ETag)
		// ServeContent handles If-None-Match (RFC 9110 13.1.2) and HEAD. Ranges are ignored,
		// since part of a document is useless.
		c.Request.Header.Del("Range")
		http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(document.Body))
	}
}
