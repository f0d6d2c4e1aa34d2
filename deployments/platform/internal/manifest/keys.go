package manifest

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
)

// keyed reports whether an application authenticates with keys of its own (private_key_jwt,
// RFC 7523 2.2) and therefore has no secret.
func keyed(a *Application) bool { return a.JWKS != nil || a.JWKSURI != "" }

// keys checks jwks and jwks_uri (RFC 7591 2).
func (c *checker) keys(a *Application, at string) {
	given := at + ".jwks"
	if a.JWKS == nil {
		given = at + ".jwks_uri"
	}

	switch {
	case !keyed(a):
		if a.TokenEndpointAudience {
			c.refuse(at+".token_endpoint_audience", "applies to client assertions only: give jwks or jwks_uri too")
		}
	case a.JWKS != nil && a.JWKSURI != "":
		c.refuse(given, "give jwks or jwks_uri, not both")
	case public(a):
		c.refuse(given, "a %s application is public and doesn't authenticate (RFC 6749 2.1)", a.Type)
	case a.ClientSecret != "" || a.ClientSecretFile != "" || a.ClientSecretHash != "":
		c.refuse(given, "give keys or a client secret, not both")
	case a.JWKS != nil:
		c.keySet(a, given)
	default:
		u, err := url.Parse(a.JWKSURI)
		if err != nil || u.Host == "" || u.User != nil || strings.Contains(a.JWKSURI, "#") ||
			(u.Scheme != "https" && (u.Scheme != "http" || !c.rules.Loopback)) {
			c.refuse(given, "must be an https URL without a user and a fragment")
		}
	}
}

func (c *checker) keySet(a *Application, at string) {
	set, err := clientauth.ParseKeySet(canonicalKeys(a.JWKS))
	switch {
	case err != nil:
		c.refuse(at, "must be a JWK Set of public keys: {keys: [{kty: …}]} (RFC 7517 5), with nothing private in it")
	case set.Len() == 0:
		c.refuse(at,
			"has no key to verify RS256, PS256, ES256 or EdDSA with: RSA of 2048 to 8192 bits, P-256 or Ed25519, not for encryption")
	}
}

// canonicalKeys returns a JWK Set as JSON with its members in order, so that the file's
// value can be compared with the one that comes back from the database. It returns nil for
// none.
func canonicalKeys(set any) json.RawMessage {
	if raw, stored := set.(json.RawMessage); stored {
		set = nil
		if len(raw) == 0 || json.Unmarshal(raw, &set) != nil {
			return raw
		}
	}

	raw, err := json.Marshal(set)
	if err != nil || set == nil {
		return nil
	}

	return raw
}
