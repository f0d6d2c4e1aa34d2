package manifest

import (
	"maps"
	"slices"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// reservedClaims are the claims that the platform itself puts into tokens and userinfo:
// they say who the person is, and which token it is.
var reservedClaims = []string{
	"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "acr", "amr", "sid", "nonce", "at_hash",
	"auth_time", "gid", "act",
	"client_id", "scope", "tenant_id", "tenant_slug", "app_scope", "platform_token",
	"name", "given_name", "family_name", "email", "email_verified", "updated_at",
}

// addressMembers are the members of an address claim (OpenID Connect Core 5.1.1).
var addressMembers = []string{"formatted", "street_address", "locality", "region", "postal_code", "country"}

// claims rejects claims of a person that userinfo doesn't give, and values of the wrong
// type (OpenID Connect Core 5.1).
func (c *checker) claims(at string, claims map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		where, value := at+"."+name, claims[name]
		switch {
		case slices.Contains(reservedClaims, name):
			c.refuse(where, "is a claim that the platform sets itself")
		case !slices.Contains(directory.StandardClaims(), name):
			c.refuse(where, "isn't a claim that userinfo can return; those are %s",
				strings.Join(directory.StandardClaims(), ", "))
		case value == nil:
			// A null claim counts as absent.
		case name == "address":
			c.address(where, value)
		case name == "phone_number_verified":
			if _, ok := value.(bool); !ok {
				c.refuse(where, "must be true or false")
			}
		default:
			if _, ok := value.(string); !ok {
				c.refuse(where, "must be a string: put it in quotes")
			}
		}
	}
}

func (c *checker) address(at string, value any) {
	members, ok := value.(map[string]any)
	if !ok {
		c.refuse(at, "must be a mapping with some of %s", strings.Join(addressMembers, ", "))
		return
	}

	for _, name := range slices.Sorted(maps.Keys(members)) {
		_, text := members[name].(string)
		switch {
		case !slices.Contains(addressMembers, name):
			c.refuse(at+"."+name, "isn't a part of an address; those are %s", strings.Join(addressMembers, ", "))
		case !text && members[name] != nil:
			c.refuse(at+"."+name, "must be a string: put it in quotes")
		}
	}
}
