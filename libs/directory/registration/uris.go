package registration

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func (c *checker) uris() {
	native := c.Type == directory.Native
	for key, uris := range map[string][]string{
		"redirect_uris":             c.RedirectURIs,
		"post_logout_redirect_uris": c.PostLogoutRedirectURIs,
	} {
		for i, uri := range uris {
			where := fmt.Sprintf("%s[%d]", key, i)
			err := oauth.ValidateRedirectURI(uri, native)
			if native && c.AllowUndottedSchemes {
				err = oauth.ValidateUndottedRedirectURI(uri)
			}

			if err != nil {
				c.refuse(where, "%v", err)
				continue
			}

			c.loopback(where, uri)
		}

		c.twice(key, uris)
	}

	if c.AllowUndottedSchemes && !native {
		c.refuse("allow_undotted_schemes", "is for NATIVE applications: others have no private-use schemes")
	}

	if c.AllowsGrant(oauth.GrantAuthorizationCode) && len(c.RedirectURIs) == 0 {
		c.refuse("redirect_uris", "the authorization_code grant needs at least one")
	}

	if uri := c.BackchannelLogoutURI; uri != "" {
		if u, err := url.Parse(uri); err != nil || u.Host == "" || strings.Contains(uri, "#") ||
			(u.Scheme != "https" && (u.Scheme != "http" || !c.rules.Loopback)) {
			c.refuse("backchannel_logout_uri", "must be an https URL without a fragment")
		}
	}

	for i, origin := range c.CORSOrigins {
		// An origin must be written as browsers send it (RFC 6454 6.2), and http is allowed
		// only for loopback here too.
		u, err := url.Parse(origin)
		if err != nil || origin != strings.ToLower(u.Scheme+"://"+u.Host) ||
			oauth.ValidateRedirectURI(origin, false) != nil {
			c.refuse(fmt.Sprintf("cors_origins[%d]", i), "must be an origin such as https://app.example.com")
			continue
		}
		c.loopback(fmt.Sprintf("cors_origins[%d]", i), origin)
	}

	c.twice("cors_origins", c.CORSOrigins)
}

// loopback rejects http on loopback for applications that are neither NATIVE nor in
// development, because any program on a person's device could take the place of the server
// or the page.
func (c *checker) loopback(where, uri string) {
	if !c.rules.Loopback && c.MisplacedLoopback(uri) {
		c.refuse(where,
			"is http on loopback, which only NATIVE applications may have (RFC 8252 7.3): use https, or set development: true during development")
	}
}

// beginning checks initiate_login_uri, the application's own page where a person begins to
// sign in.
func (c *checker) beginning() {
	uri := c.InitiateLoginURI
	if uri == "" {
		return
	}

	if err := oauth.ValidateRedirectURI(uri, false); err != nil {
		c.refuse("initiate_login_uri", "%v", err)
		return
	}

	c.loopback("initiate_login_uri", uri)
}
