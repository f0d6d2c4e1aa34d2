package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/platform-oauth/platform-oauth/api"
)

// contract checks every request and response between a test and the platform against
// api/openapi.yaml. It replaces http.DefaultTransport in the whole test binary, so no test
// can forget it. A request is checked only if the platform accepted it.
type contract struct {
	next   http.RoundTripper
	router routers.Router

	mu        sync.Mutex
	broken    map[string]bool
	succeeded map[string]bool // operation ids answered below 400
}

func newContract() (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		return nil, fmt.Errorf("api/openapi.yaml: %w", err)
	}

	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("api/openapi.yaml: %w", err)
	}

	return &contract{
		next:      http.DefaultTransport,
		router:    router,
		broken:    map[string]bool{},
		succeeded: map[string]bool{},
	}, nil
}

// RoundTrip sends the request on and checks both sides.
func (c *contract) RoundTrip(r *http.Request) (*http.Response, error) {
	route, params, err := c.router.FindRoute(r)
	if err != nil { // admin endpoints, the demo, unknown paths
		return c.next.RoundTrip(r)
	}

	var body []byte
	if r.Body != nil {
		if body, err = drain(r.Body); err != nil {
			return nil, err
		}
	}

	res, err := c.next.RoundTrip(withBody(r, body))
	if err != nil {
		return nil, err
	}

	received, err := drain(res.Body)
	if err != nil {
		return nil, err
	}

	res.Body = io.NopCloser(bytes.NewReader(received))
	input := &openapi3filter.RequestValidationInput{
		Request:    withBody(r, body),
		PathParams: params,
		Route:      route,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true,
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		},
	}

	c.judge(r, res, input, received)
	return res, nil
}

func (c *contract) judge(
	r *http.Request, res *http.Response, input *openapi3filter.RequestValidationInput, body []byte,
) {
	if res.StatusCode == http.StatusRequestHeaderFieldsTooLarge {
		return // net/http says this before any service is asked
	}

	operation := input.Route.Operation.OperationID
	var problems []error
	if res.StatusCode < http.StatusBadRequest && !beyondTheReference(r, operation) {
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			problems = append(problems, fmt.Errorf("request: %w", err))
		}
	}

	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 res.StatusCode,
		Header:                 res.Header,
		Options:                input.Options,
	}

	response.SetBodyBytes(body)

	if r.Method == http.MethodHead || strings.HasPrefix(res.Header.Get("Content-Type"), "text/") || len(body) == 0 {
		options := *input.Options
		options.ExcludeResponseBody = true
		response.Options = &options
	}

	if err := openapi3filter.ValidateResponse(r.Context(), response); err != nil {
		problems = append(problems, fmt.Errorf("response %d: %w", res.StatusCode, err))
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	for _, p := range problems {
		c.broken[operation+": "+strings.Join(strings.Fields(p.Error()), " ")] = true
	}

	if res.StatusCode < http.StatusBadRequest {
		c.succeeded[operation] = true
	}
}

// beyondTheReference tells the requests apart that the published parameters, which
// are marked required, do not cover: the way back from the sign-in pages, a bearer
// token in the form body (RFC 6750 2.2), and the account page's forms where nobody
// is signed in, which lead to the sign-in pages unread.
func beyondTheReference(r *http.Request, operation string) bool {
	switch {
	case operation == "authorize":
		return r.URL.Query().Has("flow")
	case operation == "userinfoPost":
		return r.Header.Get("Authorization") == ""
	case strings.HasPrefix(operation, "account"):
		_, err := r.Cookie("platform_session")
		return err != nil
	default:
		return false
	}
}

// verdict lists what broke the contract and, after a whole run, the operations
// that no test has seen succeed.
func (c *contract) verdict(whole bool) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for b := range c.broken {
		all = append(all, b)
	}

	for _, route := range api.Routes {
		if whole && !c.succeeded[route.OperationID] {
			all = append(all, route.OperationID+": no test has seen it succeed")
		}
	}

	slices.Sort(all)
	return all
}

// withBody returns a copy of a request, because a RoundTripper must not change its request
// and the transport may still read it.
func withBody(r *http.Request, body []byte) *http.Request {
	r = r.Clone(r.Context())
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	} else {
		r.Body = http.NoBody
	}
	return r
}

func drain(body io.ReadCloser) ([]byte, error) {
	data, err := io.ReadAll(body)
	_ = body.Close()
	return data, err
}
