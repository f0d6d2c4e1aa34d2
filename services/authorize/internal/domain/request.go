package domain

import (
	"slices"
	"strconv"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Sizes in bytes. MaxState is the platform's promise to applications. The others keep what
// clients send from filling caches, rows and tokens.
const (
	MaxState     = 4 << 10
	maxNonce     = 4 << 10
	maxClientID  = 255
	maxVoluntary = 1 << 10
	// maxMaxAge is about 68 years, which is enough for a max_age and doesn't overflow when it
	// becomes a duration.
	maxMaxAge = 1<<31 - 1
)

// Required lists the parameters whose absence is answered with 422, in declaration order.
var Required = []string{"response_type", "client_id", "redirect_uri", "scope"}

// single lists the parameters that may not be sent twice (RFC 6749 3.1). resource has a
// rule of its own. client_id, redirect_uri and response_mode are read earlier. Unknown
// parameters are ignored, however often they are sent.
var single = []string{
	"state", "response_mode", "response_type", "scope", "nonce", "code_challenge", "code_challenge_method", "prompt",
	"max_age", "login_hint", "id_token_hint", "acr_values", "ui_locales", "claims_locales", "claims", "display",
	"request", "request_uri",
}

// Values returns all values of a parameter, in the order sent. Empty values count as not
// sent (RFC 6749 3.1) and may be left out.
type Values func(name string) []string

// Request is an authorization request as it was sent, parsed once.
type Request struct {
	grants.Access
	grants.Wishes // without HintSubject, which is read from IDTokenHint
	grants.Authorization
	UILocales   string
	IDTokenHint string

	// fault is the first error to report to the application, at a redirect URI that has yet to
	// be verified as its own.
	fault *oauth.Error
}

// Parse reads a request. The error it returns is about client_id or redirect_uri and so
// must never be answered by a redirect (RFC 6749 4.1.2.1). All other errors are kept for
// Check.
func Parse(values Values) (*Request, *oauth.Error) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		switch all := values(name); {
		case len(all) > 1:
			return nil, oauth.Errorf(oauth.InvalidRequest, "%s was sent more than once", name)
		case len(all) == 0 || all[0] == "":
			return nil, oauth.Errorf(oauth.InvalidRequest, "%s is empty", name)
		}
	}

	r := &Request{}
	r.ClientID, r.RedirectURI = values("client_id")[0], values("redirect_uri")[0]
	if len(r.ClientID) > maxClientID {
		return nil, UnknownClient()
	}

	// All other errors go to the application, the way that state and response_mode say.
	p := parser{values: values, first: map[string]string{}}
	for _, name := range single {
		all := values(name)
		if len(all) > 0 {
			p.first[name] = all[0]
		}
		if len(all) > 1 {
			p.fail(oauth.InvalidRequest, "%s was sent more than once", name)
		}
	}

	p.reply(r)
	p.types()
	p.hints(r)
	p.freshness(r)
	p.pkce(r)
	p.target(r)
	r.fault = p.fault

	return r, nil
}

// UnknownClient returns the same error for a client_id that doesn't exist, is disabled or
// is malformed.
func UnknownClient() *oauth.Error {
	return oauth.Errorf(oauth.InvalidRequest, "client_id names no application that may sign people in here")
}

// parser reads parameters and remembers the first fault.
type parser struct {
	values Values
	first  map[string]string // of the parameters in single: the first value sent
	fault  *oauth.Error
}

// voluntary returns a parameter that is only a preference of the application. An oversized
// value is ignored.
func (p *parser) voluntary(name string) string {
	if v := p.first[name]; len(v) <= maxVoluntary {
		return v
	}
	return ""
}

func (p *parser) fail(code oauth.Code, format string, args ...any) {
	if p.fault == nil {
		p.fault = oauth.Errorf(code, format, args...)
	}
}

// reply reads how the response is delivered.
func (p *parser) reply(r *Request) {
	state, modes := p.values("state"), p.values("response_mode")
	if objects := p.values("request"); len(objects) == 1 { // its values supersede (OpenID Connect Core 6.1)
		object := wishesOf(objects[0])
		if object.State != "" {
			state = []string{object.State}
		}
		if object.ResponseMode != "" {
			modes = []string{object.ResponseMode}
		}
	}

	// If state was sent twice there is no telling which to return, and one that is too long
	// isn't returned.
	if len(state) == 1 {
		if len(state[0]) <= MaxState {
			r.State = state[0]
		} else {
			p.fail(oauth.InvalidRequest, "state is longer than %d bytes", MaxState)
		}
	}

	r.ResponseMode = oauth.ResponseModeQuery

	if len(modes) != 1 {
		return
	}

	switch mode := oauth.ResponseMode(modes[0]); mode {
	case oauth.ResponseModeQuery:
	case oauth.ResponseModeFormPost:
		r.ResponseMode = mode
	default:
		p.fail(oauth.InvalidRequest, "response_mode must be query or form_post")
	}
}

func (p *parser) types() {
	switch { // OpenID Connect Core 6.1, 6.2
	case p.first["request"] != "":
		p.fail(oauth.RequestNotSupported, "request objects are not supported")
	case p.first["request_uri"] != "":
		p.fail(oauth.RequestURINotSupported, "request_uri is not supported")
	}

	if p.first["response_type"] != "code" { // RFC 6749 3.1.1
		p.fail(oauth.UnsupportedResponseType, "response_type must be code")
	}
}

// hints reads parameters that may be honoured or not (OpenID Connect Core 3.1.2.1). claims,
// claims_locales and display are accepted and ignored.
func (p *parser) hints(r *Request) {
	r.LoginHint = strings.TrimSpace(p.voluntary("login_hint"))
	r.ACRValues = p.voluntary("acr_values")
	r.UILocales = p.voluntary("ui_locales")
	r.IDTokenHint = p.first["id_token_hint"]
	if r.Nonce = p.first["nonce"]; len(r.Nonce) > maxNonce {
		p.fail(oauth.InvalidRequest, "nonce is longer than %d bytes", maxNonce)
	}
}

func (p *parser) freshness(r *Request) {
	prompt, err := oauth.ParsePrompt(p.first["prompt"])
	if err != nil && p.fault == nil {
		p.fault = err
	}

	r.Prompt = prompt
	text := p.first["max_age"]
	if text == "" {
		return
	}

	if strings.Trim(text, "0123456789") != "" {
		p.fail(oauth.InvalidRequest, "max_age must be a number of seconds, zero or more")
		return
	}

	seconds, rangeErr := strconv.Atoi(text)
	if rangeErr != nil {
		seconds = maxMaxAge
	}

	seconds = min(seconds, maxMaxAge)
	r.MaxAge = &seconds
}

// pkce checks the form of a code challenge (RFC 7636 4.3). Whether one is required depends
// on the application.
func (p *parser) pkce(r *Request) {
	method := p.first["code_challenge_method"]
	r.CodeChallenge = p.first["code_challenge"]
	switch {
	case r.CodeChallenge == "" && method == "":
	case r.CodeChallenge == "":
		p.fail(oauth.InvalidRequest, "code_challenge_method was sent without a code_challenge")
	case method != oauth.PKCEMethodS256: // absent means plain, RFC 7636 4.3
		p.fail(oauth.InvalidRequest, "code_challenge_method must be S256")
	case !oauth.ValidPKCE(r.CodeChallenge):
		p.fail(oauth.InvalidRequest, "code_challenge must have 43 to 128 unreserved characters")
	}
}

func (p *parser) target(r *Request) {
	if resources := p.values("resource"); len(resources) > 1 {
		p.fail(oauth.InvalidTarget, "only one resource can be asked for at a time") // RFC 8707 2
	} else if len(resources) == 1 {
		r.Resource = resources[0]
	}

	scope, ok := oauth.ParseScopes(p.first["scope"])
	if !ok {
		p.fail(oauth.InvalidScope, "scope holds a character that RFC 6749 3.3 does not allow")
	}

	r.Scope = scope
}

// Check returns what is wrong with the request of the application that the redirect URI
// belongs to, or nil. The error may be answered by a redirect. Check narrows Scope to what
// the application may have.
func (r *Request) Check(app *directory.Application) *oauth.Error {
	switch {
	case r.fault != nil:
		return r.fault
	case !app.AllowsGrant(oauth.GrantAuthorizationCode):
		return oauth.Errorf(oauth.UnauthorizedClient, "the application may not use the authorization code grant")
	case app.Public() && r.CodeChallenge == "":
		return oauth.Errorf(oauth.InvalidRequest, "a public application must send a code_challenge") // RFC 9700 2.1.1
	}

	r.Scope = r.Scope.Only(app.Scopes)
	if !app.AllowsGrant(oauth.GrantRefreshToken) {
		r.Scope = r.Scope.Without(oauth.ScopeOfflineAccess)
	}

	if len(r.Scope) == 0 {
		return oauth.Errorf(oauth.InvalidScope, "scope names nothing that the application may ask for")
	}

	if r.Resource != "" && !slices.Contains(app.Audiences, r.Resource) {
		return oauth.Errorf(oauth.InvalidTarget, "the application may not ask for this resource")
	}

	return nil
}

// StillAllowed reports whether the application may make the request of a flow now. Its
// registration may have changed. Moreover, the session service stores what was sealed
// before, and must be trusted for nothing but the person's part.
func StillAllowed(app *directory.Application, flow *grants.Flow) bool {
	switch {
	case !app.AllowsGrant(oauth.GrantAuthorizationCode):
		return false
	case app.Public() && flow.Authorize.CodeChallenge == "":
		return false
	case flow.Resource != "" && !slices.Contains(app.Audiences, flow.Resource):
		return false
	case flow.Scope.Has(oauth.ScopeOfflineAccess) && !app.AllowsGrant(oauth.GrantRefreshToken):
		return false
	default:
		return len(flow.Scope) > 0 && app.Scopes.Contains(flow.Scope...)
	}
}

// IsAddress reports whether a login_hint is an e-mail address, which may identify a person
// in this browser. Other hints identify no one here.
func IsAddress(hint string) bool { return strings.Contains(hint, "@") }

// SameAddress reports whether two e-mail addresses belong to the same person.
func SameAddress(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

// Flow returns the request in the form in which it waits for a person, without its id and
// times.
func (r *Request) Flow() *grants.Flow {
	return &grants.Flow{
		Kind:      grants.KindAuthorize,
		UILocales: r.UILocales,
		Access:    r.Access,
		Wishes:    r.Wishes,
		Authorize: &r.Authorization,
	}
}
