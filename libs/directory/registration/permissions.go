package registration

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// keys checks jwks and jwks_uri (RFC 7591 2).
func (c *checker) keys() {
	field := "jwks"
	if c.JWKS == nil {
		field = "jwks_uri"
	}

	switch {
	case !Keyed(c.Application):
		if c.TokenEndpointAudience {
			c.refuse("token_endpoint_audience", "is about client assertions: give jwks or jwks_uri too")
		}
	case c.JWKS != nil && c.JWKSURI != "":
		c.refuse(field, "give jwks or jwks_uri, not both")
	case c.Public():
		c.refuse(field, "a %s application is public and authenticates with nothing (RFC 6749 2.1)", c.Type)
	case c.HasSecret:
		c.refuse(field, "give keys or a client secret, not both")
	case c.JWKS != nil:
		c.keySet(field)
	default:
		u, err := url.Parse(c.JWKSURI)
		if err != nil || u.Host == "" || u.User != nil || strings.Contains(c.JWKSURI, "#") ||
			(u.Scheme != "https" && (u.Scheme != "http" || !c.rules.Loopback)) {
			c.refuse(field, "must be an https URL without a user and a fragment")
		}
	}
}

func (c *checker) keySet(field string) {
	set, err := clientauth.ParseKeySet(c.JWKS)
	switch {
	case err != nil:
		c.refuse(field, "must be a JWK Set of public keys: {keys: [{kty: …}]} (RFC 7517 5), with nothing private in it")
	case set.Len() == 0:
		c.refuse(field,
			"has no key to verify RS256, PS256, ES256 or EdDSA with: RSA of 2048 to 8192 bits, P-256 or Ed25519, not for encryption")
	}
}

func (c *checker) permissions() {
	for i, grant := range c.Grants {
		if c.Public() && grant.Confidential() {
			c.refuse(fmt.Sprintf("grants[%d]", i),
				"a %s application is public: it has nothing to prove who it is with (RFC 6749 4.4)", c.Type)
		}
	}

	for i, scope := range c.Scopes {
		if parsed, ok := oauth.ParseScopes(scope); !ok || len(parsed) != 1 || parsed[0] != scope {
			c.refuse(fmt.Sprintf("scopes[%d]", i), "is not a scope token (RFC 6749 3.3)")
		}
	}

	c.twice("scopes", c.Scopes)
	resources := map[string][]string{"audiences": c.Audiences, "resources_served": c.ResourcesServed}
	if c.DefaultAudience != "" {
		resources["default_audience"] = []string{c.DefaultAudience}
	}

	for key, uris := range resources {
		for i, uri := range uris {
			where := fmt.Sprintf("%s[%d]", key, i)
			if key == "default_audience" {
				where = key
			}
			if u, err := url.Parse(uri); err != nil || !u.IsAbs() || strings.Contains(uri, "#") {
				c.refuse(where, "must be an absolute URI without a fragment (RFC 8707 2)")
			}
			if key == "resources_served" && c.rules.Issuer != "" && strings.TrimSuffix(uri, "/") == c.rules.Issuer {
				c.refuse(where,
					"must not be the issuer, which is the audience of other applications' tokens")
			}
		}

		if key != "default_audience" {
			c.twice(key, uris)
		}
	}
}

func (c *checker) tokens() {
	for key, alg := range map[string]string{"access_token_alg": c.AccessTokenAlg, "id_token_alg": c.IDTokenAlg} {
		switch signing.Algorithm(alg) {
		case "", signing.RS256, signing.PS256, signing.ES256, signing.EdDSA:
		default:
			c.refuse(key, "must be RS256, PS256, ES256 or EdDSA")
		}
	}

	for key, d := range map[string]time.Duration{
		"access_token_ttl":  c.AccessTokenTTL,
		"refresh_token_ttl": c.RefreshTokenTTL,
		"refresh_idle_ttl":  c.RefreshIdleTTL,
	} {
		// Zero stands for the platform's default, so an explicit zero is a mistake.
		if d < 0 || d%time.Second != 0 || (d == 0 && c.given(key)) {
			c.refuse(key, "must be one or more whole seconds")
		}
	}

	if c.AccessTokenTTL > signing.LongestToken {
		c.refuse("access_token_ttl", "must be at most 24h: its signing key is published only so long")
	}

	if c.RefreshIdleTTL > c.RefreshTokenTTL && c.RefreshTokenTTL > 0 {
		c.refuse("refresh_idle_ttl", "is more than refresh_token_ttl, so it would never count")
	}

	if g := c.RefreshGrace; g != nil && (*g < 0 || *g > time.Minute || *g%time.Millisecond != 0) {
		c.refuse("refresh_grace", "must be between 0s and 1m, in whole milliseconds")
	}
}

func (c *checker) given(field string) bool { return c.Given != nil && c.Given(field) }
