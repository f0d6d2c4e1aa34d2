package oauth

import (
	"slices"
	"strings"
)

// Scopes is a list of scope tokens without duplicates, in the order requested (RFC 6749 3.3).
type Scopes []string

// ParseScopes splits a scope parameter at spaces. ok is false if a token has a character
// outside the grammar of RFC 6749 3.3.
func ParseScopes(s string) (scopes Scopes, ok bool) {
	for token := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ' ' }) {
		for i := range len(token) {
			if c := token[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
				return nil, false
			}
		}

		if !slices.Contains(scopes, token) {
			scopes = append(scopes, token)
		}
	}

	return scopes, true
}

// Has reports whether one scope is in the list.
func (s Scopes) Has(scope string) bool { return slices.Contains(s, scope) }

// Contains reports whether all given scopes are in the list.
func (s Scopes) Contains(scopes ...string) bool {
	for _, scope := range scopes {
		if !slices.Contains(s, scope) {
			return false
		}
	}
	return true
}

// Only returns the scopes that are also in allowed, in the order of s.
func (s Scopes) Only(allowed Scopes) Scopes {
	return slices.DeleteFunc(slices.Clone(s), func(scope string) bool { return !slices.Contains(allowed, scope) })
}

// Without returns the scopes except those given.
func (s Scopes) Without(scopes ...string) Scopes {
	return slices.DeleteFunc(slices.Clone(s), func(scope string) bool { return slices.Contains(scopes, scope) })
}

// Union returns s followed by the scopes of more that aren't in s.
func (s Scopes) Union(more Scopes) Scopes {
	all := slices.Clone(s)
	for _, scope := range more {
		if !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	return all
}

// String joins the scopes with spaces, as in a request.
func (s Scopes) String() string { return strings.Join(s, " ") }
