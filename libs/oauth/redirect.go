package oauth

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// MatchRedirectURI reports whether requested is one of the registered redirect URIs, by exact
// string comparison (RFC 9700 2.1). Only for native applications, an http URI on a loopback IP
// literal matches with any port (RFC 8252 7.3); localhost counts as loopback only if the
// application opted in.
func MatchRedirectURI(registered []string, requested string, native, allowLocalhost bool) bool {
	if slices.Contains(registered, requested) {
		return true
	}

	if !native {
		return false
	}

	want, ok := withoutLoopbackPort(requested, allowLocalhost)
	if !ok {
		return false
	}

	return slices.ContainsFunc(registered, func(r string) bool {
		have, ok := withoutLoopbackPort(r, allowLocalhost)
		return ok && have == want
	})
}

// withoutLoopbackPort returns an http loopback URI with its port removed from the string, so
// that everything else is still compared exactly.
func withoutLoopbackPort(uri string, allowLocalhost bool) (string, bool) {
	rest, ok := strings.CutPrefix(uri, "http://")
	if !ok {
		return "", false
	}

	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}

	host := authority
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		port := authority[i+1:]
		if _, err := strconv.ParseUint(port, 10, 16); err != nil || len(port) > 5 {
			return "", false
		}
		host = authority[:i]
	}

	if !isLoopback(host, allowLocalhost) {
		return "", false
	}

	return host + tail, true
}

func isLoopback(host string, allowLocalhost bool) bool {
	if host == "localhost" {
		return allowLocalhost
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil && addr.IsLoopback() && addr.Is4() != strings.HasPrefix(host, "[")
}

// IsWebRedirect reports whether a redirect URI leads to a server that proves its identity, that
// is, https and not loopback. Any program on the person's device may claim any other URI (RFC
// 8252 8.6).
func IsWebRedirect(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Scheme == "https" && !isLoopback(u.Hostname(), true) &&
		!isLoopback("["+u.Hostname()+"]", true)
}

// Reasons why a redirect URI is refused at registration.
var (
	ErrRedirectRelative = errors.New("must be an absolute URI")
	ErrRedirectFragment = errors.New("must not have a fragment (RFC 6749 3.1.2)")
	ErrRedirectWildcard = errors.New("must not hold a wildcard: redirect URIs match exactly (RFC 9700 2.1)")
	ErrRedirectScheme   = errors.New("has a scheme that runs code or shows data")
	ErrRedirectHTTP     = errors.New("must be https: http is for loopback addresses only (RFC 8252 7.3)")
	ErrRedirectPrivate  = errors.New("a private scheme is for NATIVE applications and needs a period, as in com.example.app (RFC 8252 7.1)")
	ErrRedirectUser     = errors.New("must not carry user information")
)

// ValidateRedirectURI returns nil if uri may be registered, or else the reason why not. native
// says whether private schemes are allowed.
func ValidateRedirectURI(uri string, native bool) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "":
		return ErrRedirectRelative
	case strings.Contains(uri, "#"):
		return ErrRedirectFragment
	case strings.Contains(uri, "*"):
		return ErrRedirectWildcard
	case u.User != nil:
		return ErrRedirectUser
	}

	for i := range len(uri) {
		if uri[i] <= ' ' || uri[i] >= 0x7f || uri[i] == '\\' {
			return ErrRedirectRelative
		}
	}

	switch u.Scheme {
	case "https":
		if u.Hostname() == "" {
			return ErrRedirectRelative
		}
		return nil
	case "http":
		host := u.Hostname()
		if !isLoopback(host, true) && !isLoopback("["+host+"]", true) {
			return ErrRedirectHTTP
		}
		return nil
	case "javascript", "data", "vbscript", "file", "blob", "about", "view-source":
		return ErrRedirectScheme
	default:
		if !native || !strings.Contains(u.Scheme, ".") {
			return ErrRedirectPrivate
		}
		return nil
	}
}

// ErrRedirectPublicScheme refuses a scheme without a period that other programs or the browser
// itself handle.
var ErrRedirectPublicScheme = errors.New("has a scheme that does not belong to one application")

// publicSchemes are schemes without a period that no application can have to itself.
var publicSchemes = []string{
	"ftp", "ftps", "sftp", "ssh", "ws", "wss", "mailto", "tel", "sms", "callto", "sip", "sips",
	"geo", "market", "intent",
	"chrome", "chrome-extension", "moz-extension", "resource", "filesystem", "jar", "ms-settings", "ms-appinstaller",
	"search-ms", "cid", "mid", "urn", "tag", "ldap", "ldaps", "telnet", "smb", "nfs", "feed", "webcal", "magnet",
}

// ValidateUndottedRedirectURI returns nil if uri may be registered, or else the reason why not,
// for a native application whose operator accepts private-use schemes without a period. RFC
// 8252 7.1 requires the period because any other program may claim such a scheme; PKCE still
// keeps that program from redeeming the code.
func ValidateUndottedRedirectURI(uri string) error {
	err := ValidateRedirectURI(uri, true)
	if !errors.Is(err, ErrRedirectPrivate) {
		return err
	}

	u, err := url.Parse(uri)
	if err != nil {
		return ErrRedirectRelative
	}

	if slices.Contains(publicSchemes, u.Scheme) {
		return ErrRedirectPublicScheme
	}

	return nil
}
