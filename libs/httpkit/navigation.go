package httpkit

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Navigates reports whether a request may be a person's browser navigating to a page, that is,
// the top-level navigation of a tab. A browser that sends Fetch Metadata says so itself, and a
// page of another site can't make it send other values for the two headers (they are forbidden
// to scripts). A request without them comes from an older browser or from a program, and may be
// a navigation.
//
// Content embedded in a page (an image, a frame, a script, a fetch) isn't a navigation. Neither
// is a request that a browser makes before the person has gone anywhere (Sec-Purpose: prefetch,
// for links and prerendering).
func Navigates(r *http.Request) bool {
	return oneOf(r, "Sec-Fetch-Mode", "navigate") && oneOf(r, "Sec-Fetch-Dest", "document") && !speculates(r)
}

// InFrame reports whether a browser is loading the page into a frame. Its cookies, which are
// SameSite=Lax, are sent only if the surrounding page is of the same site.
func InFrame(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Dest") == "iframe" && oneOf(r, "Sec-Fetch-Dest", "iframe") &&
		oneOf(r, "Sec-Fetch-Mode", "navigate") && !speculates(r)
}

// oneOf reports whether a header is absent or has value as its only value.
func oneOf(r *http.Request, name, value string) bool {
	values := r.Header.Values(name)
	return len(values) == 0 || (len(values) == 1 && values[0] == value)
}

func speculates(r *http.Request) bool {
	for _, value := range r.Header.Values("Sec-Purpose") {
		if strings.Contains(strings.ToLower(value), "prefetch") {
			return true
		}
	}
	return false
}

// ownScript reports whether a script on one of the platform's own pages sent the request: only
// such a page has the same origin, and fetch has no destination.
func ownScript(r *http.Request) bool {
	site, dest := r.Header.Values("Sec-Fetch-Site"), r.Header.Values("Sec-Fetch-Dest")
	return len(site) == 1 && site[0] == "same-origin" && len(dest) == 1 && dest[0] == "empty" && !speculates(r)
}

// navigated guards a page. A page of any site can make its visitors' browsers request ours a
// thousand times, in images and frames. That must not cost a row, a cookie, or a count shared
// with others at the same address. So the handler doesn't run for a request that isn't a
// navigation, except for one from the platform's own scripts and for what unattended admits.
//
// The response is JSON, because an error page is written to the audit trail and wouldn't be
// seen by a person.
func (e *edge) navigated(h gin.HandlerFunc, unattended func(*http.Request) bool) gin.HandlerFunc {
	return func(c *gin.Context) {
		if Navigates(c.Request) || ownScript(c.Request) {
			h(c)
			return
		}

		exchangeOf(c).plain = true

		if unattended != nil && unattended(c.Request) {
			h(c)
			return
		}

		c.Writer.Header().Add("Vary", "Sec-Fetch-Dest, Sec-Fetch-Mode, Sec-Fetch-Site, Sec-Purpose")
		Fail(c, &oauth.Error{
			Code: oauth.InvalidRequest, StatusOverride: http.StatusForbidden,
			Description: "this address is for a browser's tab: open it there, not in an image, a frame or a script",
		})
	}
}
