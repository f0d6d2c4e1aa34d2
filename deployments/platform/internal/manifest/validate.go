package manifest

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/webui"
)

var (
	slugForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	domainForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// Rules are what validity depends on beside the file.
type Rules struct {
	// Loopback: the platform's public URL is a loopback address, so that short
	// secrets may be used to try things out.
	Loopback bool
	// Issuer is the platform's own name as it stands in tokens; empty: not known.
	Issuer string
}

// checker collects problems instead of stopping at the first.
type checker struct {
	doc      *Document
	rules    Rules
	problems Problems
	decoded  map[string]bool   // paths of the problems that decoding had
	secrets  map[string]string // from client_secret_file, by client id
}

// refuse notes a problem, unless decoding had one with the same value: what it
// left there means nothing.
func (c *checker) refuse(path, format string, args ...any) {
	for at := path; at != ""; at = parent(at) {
		if c.decoded[at] {
			return
		}
	}
	c.problems = append(c.problems, c.doc.problem(path, format, args...))
}

// Validate says everything that is wrong with the file by itself, as Problems;
// what it refers to in the database is checked by Apply.
func (d *Document) Validate(rules Rules) error {
	_, err := d.validate(rules)
	return err
}

// validate also returns the client secrets that stand in files of their own.
func (d *Document) validate(rules Rules) (secrets map[string]string, err error) {
	c := &checker{
		doc: d, rules: rules, problems: slices.Clone(d.problems), decoded: map[string]bool{}, secrets: map[string]string{},
	}
	for _, p := range d.problems {
		c.decoded[p.Path] = true
	}
	c.tenants()
	c.users()
	c.applications()
	return c.secrets, c.problems.err()
}

func (c *checker) tenants() {
	slugs, domains := map[string]bool{}, map[string]bool{}
	for i, t := range c.doc.Tenants {
		at := fmt.Sprintf("tenants[%d]", i)
		if !slugForm.MatchString(t.Slug) {
			c.refuse(at+".slug", "must be 1 to 63 lower-case letters, digits and inner hyphens")
		} else if slugs[t.Slug] {
			c.refuse(at+".slug", "tenant %q stands here a second time", t.Slug)
		}
		slugs[t.Slug] = true
		if strings.TrimSpace(t.Name) == "" {
			c.refuse(at+".name", "is required")
		}
		for j, domain := range t.Domains {
			where := fmt.Sprintf("%s.domains[%d]", at, j)
			if !domainForm.MatchString(domain) {
				c.refuse(where, "%q is not a lower-case domain name", domain)
			} else if domains[domain] {
				c.refuse(where, "domain %q stands here a second time: it can lead to one tenant only", domain)
			}
			domains[domain] = true
		}
		if t.Color != "" && !webui.ValidColor(t.Color) {
			c.refuse(at+".color", "must be a colour such as #2f4fd0, in lower case")
		}
		if t.IdentityProvider != nil {
			c.refuse(at+".identity_provider", "is not supported in this version")
		}
	}
}

func (c *checker) users() {
	emails := map[string]bool{}
	for i, u := range c.doc.Users {
		at := fmt.Sprintf("users[%d]", i)
		email := strings.ToLower(u.Email)
		if !validEmail(email) {
			c.refuse(at+".email", "must be one e-mail address")
		} else if emails[email] {
			c.refuse(at+".email", "user %q stands here a second time", email)
		}
		emails[email] = true
		switch {
		case u.Password != "" && u.PasswordHash != "":
			c.refuse(at+".password_hash", "give password or password_hash, not both")
		case len(u.Password) > password.MaxLength:
			c.refuse(at+".password", "is longer than %d bytes", password.MaxLength)
		case u.PasswordHash != "":
			if err := password.Validate(u.PasswordHash); err != nil {
				c.refuse(at+".password_hash", "%v", err)
			}
		}
		for name := range u.Claims {
			if slices.Contains(reservedClaims, name) {
				c.refuse(at+".claims."+name, "is a claim that the platform makes itself")
			}
		}
		c.twice(at+".tenants", u.Tenants)
	}
}

// reservedClaims may not come from the file: they say who the person is, and
// for which token.
var reservedClaims = []string{
	"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "acr", "amr", "sid", "nonce", "at_hash", "auth_time", "gid", "act",
	"client_id", "scope", "tenant_id", "tenant_slug", "app_scope", "platform_token",
	"name", "given_name", "family_name", "email", "email_verified", "updated_at",
}

// validEmail is no laxer than the sign-in page, which knows no literal domains.
func validEmail(email string) bool {
	address, err := mail.ParseAddress(email)
	return err == nil && address.Address == email && len(email) <= 254 && !strings.ContainsAny(email, "[]\" ")
}

// twice refuses what a list holds more than once.
func (c *checker) twice(path string, values []string) {
	seen := map[string]bool{}
	for i, v := range values {
		if seen[v] {
			c.refuse(fmt.Sprintf("%s[%d]", path, i), "%q stands here a second time", v)
		}
		seen[v] = true
	}
}
