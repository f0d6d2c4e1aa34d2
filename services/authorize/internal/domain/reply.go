package domain

import (
	"net/url"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Reply describes how a response reaches the application: the redirect URI, the response
// mode and the application's state.
type Reply struct {
	RedirectURI string
	Mode        oauth.ResponseMode
	State       string
}

// ReplyTo returns the Reply to an authorization request.
func ReplyTo(a *grants.Authorization) Reply {
	return Reply{RedirectURI: a.RedirectURI, Mode: a.ResponseMode, State: a.State}
}

// Code returns the parameters of a successful response (RFC 6749 4.1.2) with iss (RFC 9207
// 2).
func (r Reply) Code(issuer, code string) url.Values {
	return r.with(url.Values{"code": {code}, "iss": {issuer}})
}

// Error returns the parameters of an error response (RFC 6749 4.1.2.1) with iss (RFC 9207
// 2).
func (r Reply) Error(issuer string, err *oauth.Error) url.Values {
	return r.with(url.Values{"error": {string(err.Code)}, "error_description": {err.Description}, "iss": {issuer}})
}

func (r Reply) with(params url.Values) url.Values {
	if r.State != "" {
		params.Set("state", r.State)
	}
	return params
}

// Location returns the redirect URI with the parameters added to its query. The registered
// URI, including its own query, stays as it is (RFC 6749 3.1.2).
func (r Reply) Location(params url.Values) string {
	separator := "?"
	if i := strings.IndexByte(r.RedirectURI, '?'); i >= 0 {
		separator = "&"
		if last := r.RedirectURI[len(r.RedirectURI)-1]; last == '?' || last == '&' {
			separator = ""
		}
	}
	return r.RedirectURI + separator + params.Encode()
}
