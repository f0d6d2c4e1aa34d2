package clientauth

import (
	"encoding/base64"
	"log/slog"
	"net/url"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Method is a client authentication method, named as in the registry "OAuth Token Endpoint
// Authentication Methods" (RFC 7591 2).
type Method string

// Methods.
const (
	Basic         Method = "client_secret_basic" // in the Authorization header
	Post          Method = "client_secret_post"  // in the form
	PrivateKeyJWT Method = "private_key_jwt"     // a signed assertion (OpenID Connect Core 9)
	None          Method = "none"                // only the client_id
)

// AssertionType is the client_assertion_type of private_key_jwt (RFC 7523 2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Challenge is the value of WWW-Authenticate to send with an Error whose Challenge is set (RFC
// 7617 2).
const Challenge = `Basic realm="platform", charset="UTF-8"`

// maxClientID bounds a client identifier, in bytes.
const maxClientID = 255

// Credentials hold what a request says about its sender. They prove nothing until Authenticate
// has checked them.
type Credentials struct {
	Method   Method
	ClientID string
	// Secret is empty if none was sent; form-decoded for Basic.
	Secret string
	// rawSecret is the Basic secret before form-decoding, because curl and other clients don't
	// encode it. Empty for the other methods.
	rawSecret string
	assertion *assertion // for PrivateKeyJWT
}

// Form holds the client authentication parameters of a form; absent ones are empty.
type Form struct {
	ClientID      string // client_id
	ClientSecret  string // client_secret
	AssertionType string // client_assertion_type (RFC 7521 4.2)
	Assertion     string // client_assertion
}

// LogValue keeps the secret and the assertion out of logs.
func (f Form) LogValue() slog.Value { return slog.StringValue(f.ClientID) }

// String keeps the secret and the assertion out of anything formatted with %v or %s.
func (f Form) String() string { return f.ClientID }

// GoString keeps the secret and the assertion out of %#v.
func (f Form) GoString() string { return f.ClientID }

// LogValue keeps the secret out of logs.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(slog.String("method", string(c.Method)), slog.String("client_id", c.ClientID))
}

// String keeps the secret out of anything formatted with %v or %s.
func (c Credentials) String() string { return string(c.Method) + " " + c.ClientID }

// GoString keeps the secret out of %#v.
func (c Credentials) GoString() string { return c.String() }

// ParseForm reads the credentials of a request, as Parse does, but also accepts a
// client_assertion (RFC 7521 4.2). With an assertion, client_id may be absent, since the
// assertion names the client.
//
// An assertion together with another method, an assertion without its type or a type without an
// assertion, and a client_id that differs from the assertion's are an invalid_request. An
// assertion that is malformed, of another type, or not signed with one of the supported
// asymmetric algorithms is an invalid_client. Every error is an *Error.
func ParseForm(authorization []string, f Form) (Credentials, error) {
	switch {
	case f.Assertion == "" && f.AssertionType == "":
		return Parse(authorization, f.ClientID, f.ClientSecret)
	case f.Assertion == "":
		return Credentials{}, refuse(oauth.InvalidRequest, "client_assertion is missing", false)
	case f.AssertionType == "":
		return Credentials{}, refuse(oauth.InvalidRequest, "client_assertion_type is missing", false)
	case f.ClientSecret != "", strings.Trim(strings.Join(authorization, ""), " \t") != "":
		return Credentials{}, refuse(oauth.InvalidRequest, "more than one client authentication method was used", false)
	case f.AssertionType != AssertionType:
		return Credentials{}, refuse(oauth.InvalidClient, "the client_assertion_type is not supported", false)
	}

	a, ok := parseAssertion(f.Assertion)
	switch {
	case !ok || !validClientID(a.claims.Subject):
		return Credentials{}, refuse(oauth.InvalidClient,
			"client_assertion is not a JWT signed with RS256, PS256, ES256 or EdDSA that names its client", false)
	case f.ClientID != "" && f.ClientID != a.claims.Subject:
		return Credentials{}, refuse(oauth.InvalidRequest, "client_id differs from the sub of client_assertion", false)
	}

	return Credentials{Method: PrivateKeyJWT, ClientID: a.claims.Subject, assertion: a}, nil
}

// Parse reads the credentials of a request. authorization holds the values of its Authorization
// header fields; clientID and clientSecret come from its form and are empty if absent.
//
// Two methods at once (RFC 6749 2.3), two headers, and a form that names another application
// than the header does are an invalid_request. A header that can't be parsed, and no client at
// all, are an invalid_client. Every error is an *Error.
func Parse(authorization []string, clientID, clientSecret string) (Credentials, error) {
	var header string
	switch len(authorization) {
	case 0:
	case 1:
		header = strings.Trim(authorization[0], " \t")
	default:
		return Credentials{}, refuse(oauth.InvalidRequest, "the Authorization header was sent more than once", false)
	}

	if header != "" {
		return parseHeader(header, clientID, clientSecret)
	}

	switch {
	case clientID == "":
		return Credentials{}, refuse(oauth.InvalidClient, "the request names no client", false)
	case !validClientID(clientID):
		return Credentials{}, invalidClient(false)
	case clientSecret != "":
		return Credentials{Method: Post, ClientID: clientID, Secret: clientSecret}, nil
	default:
		return Credentials{Method: None, ClientID: clientID}, nil
	}
}

func parseHeader(header, clientID, clientSecret string) (Credentials, error) {
	c, ok := parseBasic(header)
	switch {
	case !ok:
		return Credentials{}, refuse(oauth.InvalidClient,
			"the Authorization header is not well-formed Basic authentication", true)
	case clientSecret != "":
		return Credentials{}, refuse(oauth.InvalidRequest, "more than one client authentication method was used", false)
	case clientID != "" && clientID != c.ClientID:
		return Credentials{}, refuse(oauth.InvalidRequest,
			"client_id differs from the one in the Authorization header", false)
	}

	return c, nil
}

// parseBasic parses a Basic header, both halves of which are form-encoded (RFC 6749 2.3.1, RFC
// 7617 2). A secret that does not form-decode is taken as it is.
func parseBasic(header string) (Credentials, bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return Credentials{}, false
	}

	plain, err := base64.StdEncoding.DecodeString(strings.Trim(encoded, " "))
	if err != nil {
		return Credentials{}, false
	}

	user, secret, ok := strings.Cut(string(plain), ":")
	if !ok {
		return Credentials{}, false
	}

	id, err := url.QueryUnescape(user)
	if err != nil || !validClientID(id) {
		return Credentials{}, false
	}

	decoded, err := url.QueryUnescape(secret)
	if err != nil {
		decoded = secret
	}

	return Credentials{
		Method:    Basic,
		ClientID:  id,
		Secret:    decoded,
		rawSecret: secret,
	}, true
}

// validClientID keeps strings that can't be a client identifier (RFC 6749 A.1: visible ASCII)
// from reaching a database.
func validClientID(id string) bool {
	if id == "" || len(id) > maxClientID {
		return false
	}

	for i := range len(id) {
		if id[i] < 0x20 || id[i] > 0x7e {
			return false
		}
	}
	return true
}
