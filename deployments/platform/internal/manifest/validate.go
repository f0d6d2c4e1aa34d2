package manifest

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/directory/registration"
	"github.com/platform-oauth/platform-oauth/libs/webui"
)

var (
	slugForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	domainForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// Rules holds what validity depends on apart from the file.
type Rules = registration.Rules

// checker collects problems instead of stopping at the first one.
type checker struct {
	places
	rules    Rules
	doc      *Document
	problems Problems
	warnings []string
	decoded  map[string]bool   // paths of problems found while decoding
	secrets  map[string]string // from client_secret_file, by client id
	people   people
}

// people holds what the checker keeps about the file's people: their addresses, and the
// first member of each tenant.
type people struct {
	index   map[string]int32 // by address
	tenants map[string]bool  // slugs of the tenants that people are members of
}

// maxProblems bounds how many problems are reported, because a file of 100,000 people may
// have the same one as often.
const maxProblems = 1000

// refuse records a problem, unless decoding already reported one for the same value, which
// then means nothing.
func (c *checker) refuse(path, format string, args ...any) {
	for at := path; at != ""; at = parent(at) {
		if c.decoded[at] {
			return
		}
	}
	c.problems = append(c.problems, c.problem(path, format, args...))
}

// enter switches the checker to another part of the file.
func (c *checker) enter(p places, problems Problems) {
	c.places, c.decoded = p, map[string]bool{}
	for _, problem := range problems {
		c.decoded[cmp.Or(problem.spoils, problem.Path)] = true
	}
	c.problems = append(c.problems, problems...)
}

// Validate returns, as Problems, everything that is wrong with the file by itself. Apply
// checks its references to the database.
func (d *Document) Validate(rules Rules) error { return d.check(rules).problems.err() }

// check checks the file. It decodes people one by one and keeps none of them. It caches the
// result, because checking a long file takes seconds.
func (d *Document) check(rules Rules) *checker {
	if d.checked != nil && d.checked.rules == rules {
		return d.checked
	}

	c := &checker{
		rules:   rules,
		doc:     d,
		secrets: map[string]string{},
		people:  people{index: make(map[string]int32, d.count()), tenants: map[string]bool{}},
	}

	c.enter(d.places, d.problems)
	c.tenants()
	c.applications()

	for i := range d.count() {
		p := d.person(i)
		if d.people != nil {
			c.enter(p.places, p.problems)
		}
		c.person(p, i)
	}

	d.checked = c
	return c
}

func (c *checker) tenants() {
	slugs, domains := map[string]bool{}, map[string]bool{}
	for i, t := range c.doc.Tenants {
		at := fmt.Sprintf("tenants[%d]", i)
		if !slugForm.MatchString(t.Slug) {
			c.refuse(at+".slug", "must be 1 to 63 lower-case letters, digits and inner hyphens")
		} else if slugs[t.Slug] {
			c.refuse(at+".slug", "tenant %q appears twice", t.Slug)
		}

		slugs[t.Slug] = true

		if strings.TrimSpace(t.Name) == "" {
			c.refuse(at+".name", "is required")
		}

		c.lookAlike(at+".name", t.Name)

		if t.Color != "" && !webui.ValidColor(t.Color) {
			c.refuse(at+".color", "must be a colour such as #2f4fd0, in lower case")
		}

		if t.IdentityProvider != nil {
			c.refuse(at+".identity_provider", "isn't supported in this version")
		}

		for j, typed := range t.Domains {
			where := fmt.Sprintf("%s.domains[%d]", at, j)
			domain, ok := directory.ParseDomain(typed)
			switch {
			case !ok || !domainForm.MatchString(domain) || (isASCII(typed) && typed != domain):
				c.refuse(where, "%q isn't a lower-case domain name", typed)
			case domains[domain]:
				c.refuse(where, "domain %q appears twice, but can belong to one tenant only", typed)
			}

			domains[domain] = true
			c.lookAlike(where, typed)
		}
	}
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}

func (c *checker) person(p *person, i int) {
	u, at := p.User, p.at
	email, ok := directory.ParseEmail(u.Email)
	first, twice := c.people.index[email]
	switch {
	case !ok:
		c.refuse(at+".email", "must be one e-mail address")
	case twice:
		c.refuse(at+".email", "user %q appears twice, first as users[%d]", email, first)
	default:
		c.people.index[email] = int32(i) //nolint:gosec // a file of at most 64 MiB has fewer
	}

	c.lookAlike(at+".email", u.Email)

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

	c.claims(at+".claims", u.Claims)
	c.twice(at+".tenants", u.Tenants)

	for _, slug := range u.Tenants {
		c.people.tenants[slug] = true
	}
}

// twice rejects duplicates in a list.
func (c *checker) twice(path string, values []string) {
	seen := map[string]bool{}
	for i, v := range values {
		if seen[v] {
			c.refuse(fmt.Sprintf("%s[%d]", path, i), "%q appears twice", v)
		}
		seen[v] = true
	}
}
