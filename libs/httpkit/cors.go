package httpkit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/api"
)

// CORS says which operations pages of other origins may call (Fetch, 3.2 CORS protocol). With
// the zero value they may call none, and OPTIONS is not an allowed method on any path.
// Credentials, that is, cookies, are never allowed.
type CORS struct {
	// Open are the operations, by id, whose responses any page may read: they are the same for
	// every caller.
	Open []string
	// Registered are the operations, by id, that pages of registered origins may call. A
	// preflight does not say for which application, so it succeeds for any registered origin.
	// The page may read the response itself if the handler calls AllowOrigin, or if it is a
	// failure that concerns no application.
	Registered []string
	// Known reports whether an origin is registered by any application. It is required with
	// Registered. It is called for each preflight, and for failures that concern no
	// application.
	Known func(ctx context.Context, origin string) (bool, error)
}

const (
	openMaxAge       = "86400" // seconds that a browser may cache a preflight
	registeredMaxAge = "600"   // likewise; shorter, since a registration may be withdrawn

	// registeredHeaders are the headers a page may send besides those that need no permission:
	// its credentials, and headers that tracing and HTTP libraries add to every request.
	registeredHeaders = "Authorization, Content-Type, Traceparent, Tracestate, X-Requested-With"
)

// check returns an error if an operation in o isn't served.
func (o *CORS) check(routes []api.Route) error {
	var problems []error
	for _, id := range slices.Concat(o.Open, o.Registered) {
		if !slices.ContainsFunc(routes, func(r api.Route) bool { return r.OperationID == id }) {
			problems = append(problems, fmt.Errorf("httpkit: CORS for %q, which has no route", id))
		}
	}

	if len(o.Registered) > 0 && o.Known == nil {
		problems = append(problems, errors.New("httpkit: CORS for registered origins needs Known"))
	}

	return errors.Join(problems...)
}

// readers says which pages may read an operation's responses.
type readers struct {
	open  bool // any page
	known func(ctx context.Context, origin string) (bool, error)
}

// of returns the readers of an operation, or nil if there are none.
func (o *CORS) of(id string) *readers {
	switch {
	case slices.Contains(o.Open, id):
		return &readers{open: true}
	case slices.Contains(o.Registered, id):
		return &readers{known: o.Known}
	}
	return nil
}

// begin sets the headers that every response of the operation has.
func (r *readers) begin(h http.Header) {
	if r.open {
		h.Set("Access-Control-Allow-Origin", "*")
		return
	}
	h.Add("Vary", "Origin")
}

// readable lets pages of any registered origin read a failure that concerns no application: an
// unknown client_id, a body of another media type, an invalid token. Without it, developers
// would see only a network error. Such a response contains nothing that belongs to anyone. If
// the origins can't be looked up, the failure stays unreadable, so the page sees a network
// error.
func (x *exchange) readable(c *gin.Context) {
	readers := x.route.cors
	if readers == nil || readers.open || x.owned {
		return
	}

	page := origin(c)
	if page == "" {
		return
	}

	known, err := readers.known(c.Request.Context(), page)
	if err != nil {
		x.edge.log.WarnContext(c.Request.Context(),
			"can't look up CORS origins, so a page can't read this failure; check the database", "cause", err)
		return
	}

	if known {
		expose(c, page)
	}
}

// mountPreflights registers OPTIONS for the paths that have a readable operation.
func (e *edge) mountPreflights(engine *gin.Engine, o *CORS, routes []api.Route) {
	for _, p := range preflights(o, routes) {
		path, _ := ginPath(p.path) // validated by checkRoutes
		rt := newRoute(e.scheme(), http.MethodOptions, p.path)
		engine.Handle(http.MethodOptions, path, func(c *gin.Context) { e.serve(c, rt, p.serve) })
	}
}

// preflight answers OPTIONS for one path.
type preflight struct {
	path    string
	open    bool
	methods []string // methods that a page may use
	known   func(context.Context, string) (bool, error)
}

func preflights(o *CORS, routes []api.Route) []*preflight {
	var list []*preflight
	for _, r := range routes {
		open := slices.Contains(o.Open, r.OperationID)
		if !open && !slices.Contains(o.Registered, r.OperationID) {
			continue
		}

		i := slices.IndexFunc(list, func(p *preflight) bool { return p.path == r.Path })
		if i < 0 {
			i = len(list)
			list = append(list, &preflight{path: r.Path, open: open, known: o.Known})
		}

		list[i].methods = append(list[i].methods, r.Method)
		if r.Method == http.MethodGet {
			list[i].methods = append(list[i].methods, http.MethodHead)
		}
	}

	return list
}

func (p *preflight) serve(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Allow", strings.Join(append(slices.Clone(p.methods), http.MethodOptions), ", ")) // RFC 9110 9.3.7

	if !p.open {
		h.Add("Vary", "Origin")
	}

	origin := origin(c)
	if origin == "" || c.GetHeader("Access-Control-Request-Method") == "" {
		c.Status(http.StatusNoContent)
		return
	}

	allowed, headers, maxAge := "*", "*", openMaxAge
	if !p.open {
		known, err := p.known(c.Request.Context(), origin)
		if err != nil {
			Fail(c, err)
			return
		}

		if !known {
			c.Status(http.StatusNoContent) // without CORS headers, which means refusal
			return
		}

		allowed, headers, maxAge = origin, registeredHeaders, registeredMaxAge
	}

	h.Set("Access-Control-Allow-Origin", allowed)
	h.Set("Access-Control-Allow-Methods", strings.Join(p.methods, ", "))
	h.Set("Access-Control-Allow-Headers", headers)
	h.Set("Access-Control-Max-Age", maxAge)
	c.Status(http.StatusNoContent)
}

// CrossOrigin reports whether the request has an Origin header, so that AllowOrigin may matter.
func CrossOrigin(c *gin.Context) bool { return origin(c) != "" }

// AllowOrigin marks the response as belonging to the application with these origins. The page
// that sent the request may read it, including errors, if its origin is byte for byte one of
// those registered. If a handler doesn't call AllowOrigin, a failure concerns no application,
// and pages of all registered origins may read it. The operation must be one of
// CORS.Registered.
func AllowOrigin(c *gin.Context, origins []string) {
	exchangeOf(c).owned = true
	origin := origin(c)
	if origin == "" || !slices.Contains(origins, origin) {
		return
	}
	expose(c, origin)
}

func expose(c *gin.Context, origin string) {
	h := c.Writer.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, X-Request-Id")
}

// origin returns the Origin header. It is empty if there is none or more than one, and for
// null, which any sandboxed page sends (RFC 6454 7.3).
func origin(c *gin.Context) string {
	values := c.Request.Header["Origin"]
	if len(values) != 1 || values[0] == "null" {
		return ""
	}
	return values[0]
}
