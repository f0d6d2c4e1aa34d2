package registration

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// MinSecret is the shortest client secret that may be chosen by hand, in bytes. A secret is
// stored as a single SHA-256, which only protects a secret that can't be guessed.
const MinSecret = 32

var clientIDForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,128}$`)

// Rules holds what validity depends on apart from the application.
type Rules struct {
	// Loopback says that the platform's public URL is a loopback address, so that short
	// secrets and http are allowed for trying things out.
	Loopback bool
	// Issuer is the platform's issuer identifier as in its tokens; empty: not known.
	Issuer string
}

// Request is an application that is to be registered.
type Request struct {
	*directory.Application
	// HasSecret says that a client secret comes with it. Its own rules are [SecretRefusal] and
	// [Rules.WeakSecret].
	HasSecret bool
	// Given reports whether a field was given at all, by its name in a Problem. A zero duration
	// that was given is a mistake, since zero stands for the platform's default. Nil: no zero
	// was given.
	Given func(field string) bool
}

// Problem is one reason to refuse an application.
type Problem struct {
	Field  string // such as redirect_uris[0]
	Reason string
}

// Check returns everything that is wrong with an application, by field.
func Check(r Request, rules Rules) []Problem {
	c := &checker{Request: r, rules: rules}
	c.identity()
	c.kind()
	c.keys()
	c.uris()
	c.beginning()
	c.permissions()
	c.tokens()

	slices.SortStableFunc(c.problems, func(a, b Problem) int { return strings.Compare(a.Field, b.Field) })
	return c.problems
}

// SecretRefusal returns why an application can't have a client secret, or "".
func SecretRefusal(a *directory.Application) string {
	if a.Public() {
		return fmt.Sprintf("a %s application is public and can't keep a secret (RFC 6749 2.1)", a.Type)
	}
	return ""
}

// WeakSecret returns why a client secret that was chosen by hand is refused, or "".
func (r Rules) WeakSecret(secret string) string {
	if len(secret) < MinSecret && !r.Loopback {
		return fmt.Sprintf("has fewer than %d characters: leave it out to have one generated", MinSecret)
	}
	return ""
}

// Keyed reports whether an application authenticates with keys of its own (private_key_jwt, RFC
// 7523 2.2) and therefore has no secret.
func Keyed(a *directory.Application) bool { return a.JWKS != nil || a.JWKSURI != "" }

// checker collects problems instead of stopping at the first one.
type checker struct {
	Request
	rules    Rules
	problems []Problem
}

func (c *checker) refuse(field, format string, args ...any) {
	c.problems = append(c.problems, Problem{Field: field, Reason: fmt.Sprintf(format, args...)})
}

// twice rejects duplicates in a list.
func (c *checker) twice(field string, values []string) {
	seen := map[string]bool{}
	for i, v := range values {
		if seen[v] {
			c.refuse(fmt.Sprintf("%s[%d]", field, i), "%q appears twice", v)
		}
		seen[v] = true
	}
}

func (c *checker) identity() {
	switch {
	case !clientIDForm.MatchString(c.ClientID):
		c.refuse("client_id", "must be 1 to 128 letters, digits and . _ ~ -")
	case strings.HasPrefix(c.ClientID, "usr_") || strings.HasPrefix(c.ClientID, "tnt_"):
		c.refuse("client_id", "must not look like the id of a user or tenant")
	}

	if strings.TrimSpace(c.Name) == "" {
		c.refuse("name", "is required")
	}
}

func (c *checker) kind() {
	switch c.Type {
	case directory.Web, directory.Service, directory.SPA, directory.Native:
	default:
		c.refuse("type", "must be WEB, SPA, NATIVE or SERVICE")
	}

	switch c.ScopeLevel {
	case directory.Global:
		if c.TenantID != "" {
			c.refuse("tenant", "is for scope_level TENANT only")
		}
	case directory.TenantScoped:
		if c.TenantID == "" {
			c.refuse("tenant", "is required for scope_level TENANT")
		}
	default:
		c.refuse("scope_level", "must be GLOBAL or TENANT")
	}
}
