package httpkit

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Where parameters are sent: the first element of loc in HTTPValidationError.
const (
	inQuery  = "query"
	inBody   = "body"
	inHeader = "header"
)

// maxParams bounds the number of parameters in one query or form. No operation of the platform
// takes more than a handful.
const maxParams = 256

const formType = "application/x-www-form-urlencoded"

// Params are the parameters of a query string or of a form, in the order they
// were sent, decoded, valid UTF-8 and without NUL. The zero value has none.
type Params struct {
	in    string
	pairs []param
}

type param struct{ name, value string }

// Query returns the parameters of the query string. The middleware has already checked it, so
// the error is nil behind NewHandler.
func Query(c *gin.Context) (*Params, error) {
	x := exchangeOf(c)
	if x.query == nil {
		params, err := parseParams(inQuery, c.Request.URL.RawQuery)
		if err != nil {
			return nil, err
		}
		x.query = params
	}
	return x.query, nil
}

// Form reads a form body of type application/x-www-form-urlencoded, ignoring parameters of the
// media type. A request with neither Content-Type nor body is an empty form. The error is an
// *oauth.Error: 400 for another media type, malformed encoding, invalid UTF-8 or NUL, 413 for a
// body above MaxBody bytes.
func Form(c *gin.Context) (*Params, error) {
	x := exchangeOf(c)
	if x.form != nil {
		return x.form, nil
	}

	types := c.Request.Header.Values("Content-Type")
	if len(types) > 0 {
		mediaType, _, err := mime.ParseMediaType(types[0])
		if len(types) > 1 || err != nil || mediaType != formType {
			return nil, wrongMediaType()
		}
	}

	body, err := Body(c)
	if err != nil {
		return nil, err
	}

	if len(types) == 0 && len(body) > 0 {
		return nil, wrongMediaType()
	}

	if x.form, err = parseParams(inBody, string(body)); err != nil {
		return nil, err
	}

	return x.form, nil
}

func wrongMediaType() error {
	return oauth.Errorf(oauth.InvalidRequest, "the request body must be %s", formType)
}

type readBody struct {
	content []byte
	err     error
}

// Body reads the whole body once; later calls return the same bytes. The error is an
// *oauth.Error: 413 above MaxBody bytes, 400 if the body can't be read or isn't valid UTF-8
// without NUL.
func Body(c *gin.Context) ([]byte, error) {
	x := exchangeOf(c)
	if x.body == nil {
		x.body = &readBody{}
		x.body.content, x.body.err = readAll(c.Request, x.edge.maxBody)
	}
	return x.body.content, x.body.err
}

func readAll(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}

	if r.ContentLength > limit {
		return nil, tooLarge(limit, nil)
	}

	content, err := io.ReadAll(r.Body)
	if maxErr := (*http.MaxBytesError)(nil); errors.As(err, &maxErr) {
		return nil, tooLarge(limit, err)
	}
	if err != nil {
		return nil, &oauth.Error{
			Code:        oauth.InvalidRequest,
			Description: "the request body could not be read",
			Cause:       err,
		}
	}

	if !clean(string(content)) {
		return nil, unclean(inBody)
	}

	return content, nil
}

func tooLarge(limit int64, cause error) error {
	return &oauth.Error{
		Code:           oauth.InvalidRequest,
		StatusOverride: http.StatusRequestEntityTooLarge,
		Cause:          cause,
		Description:    fmt.Sprintf("the request body exceeds %d bytes", limit),
	}
}

func unclean(in string) error {
	return oauth.Errorf(oauth.InvalidRequest, "the %s holds text that is not valid UTF-8, or a NUL character", in)
}

// parseParams decodes application/x-www-form-urlencoded (WHATWG URL 5.1), but refuses what that
// algorithm would repair: malformed percent-encoding and invalid UTF-8.
func parseParams(in, raw string) (*Params, error) {
	p := &Params{in: in}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}

		if len(p.pairs) == maxParams {
			return nil, oauth.Errorf(oauth.InvalidRequest, "the %s has more than %d parameters", in, maxParams)
		}

		name, value, _ := strings.Cut(part, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, oauth.Errorf(oauth.InvalidRequest,
				"the %s is not well-formed: a percent sign must be followed by two hexadecimal digits", in)
		}

		if !clean(name) || !clean(value) {
			return nil, unclean(in)
		}

		p.pairs = append(p.pairs, param{name, value})
	}

	return p, nil
}

// Get returns the first non-empty value of a parameter, or "".
func (p *Params) Get(name string) string {
	for _, pair := range p.pairs {
		if pair.name == name && pair.value != "" {
			return pair.value
		}
	}
	return ""
}

// Has reports whether a parameter was sent. In a form an empty value counts as not
// sent (RFC 6749 3.2); in a query it counts as sent, as in the published API.
func (p *Params) Has(name string) bool {
	for _, pair := range p.pairs {
		if pair.name == name && (p.in == inQuery || pair.value != "") {
			return true
		}
	}
	return false
}

// All returns every non-empty value of a parameter that may repeat (resource, audience), in the
// order sent.
func (p *Params) All(name string) []string {
	var values []string
	for _, pair := range p.pairs {
		if pair.name == name && pair.value != "" {
			values = append(values, pair.value)
		}
	}
	return values
}

// Twice returns the first of the named parameters that was sent with a value more than once, or
// "" (RFC 6749 3.1 and 3.2: a parameter must not be included more than once). An endpoint names
// all parameters it reads except resource and audience, which may repeat (RFC 8707 2, RFC 8693
// 2.1). Unknown parameters are ignored however often they are sent, and a parameter without a
// value counts as not sent.
func (p *Params) Twice(names ...string) string {
	for _, name := range names {
		if len(p.All(name)) > 1 {
			return name
		}
	}
	return ""
}

// Missing returns a *MissingError with those of the required parameters that were not sent, in
// the order given, or nil if there are none.
func (p *Params) Missing(required ...string) error {
	var names []string
	for _, name := range required {
		if !p.Has(name) {
			names = append(names, name)
		}
	}

	if names == nil {
		return nil
	}

	return &MissingError{In: p.in, Names: names}
}
