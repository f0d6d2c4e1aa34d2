package oauth

import (
	"slices"
	"strings"
)

// Prompt is the parsed prompt parameter (OpenID Connect Core 3.1.2.1).
type Prompt []string

// Prompt values.
const (
	PromptNone          = "none"
	PromptLogin         = "login"
	PromptConsent       = "consent"
	PromptSelectAccount = "select_account"
)

// ParsePrompt splits a prompt parameter. An unknown value, or none together with another value,
// is an invalid_request.
func ParsePrompt(s string) (Prompt, *Error) {
	var p Prompt
	for value := range strings.FieldsSeq(s) {
		switch value {
		case PromptNone, PromptLogin, PromptConsent, PromptSelectAccount:
			if !p.Has(value) {
				p = append(p, value)
			}
		default:
			return nil, Errorf(InvalidRequest, "prompt has an unknown value")
		}
	}

	if p.Has(PromptNone) && len(p) > 1 {
		return nil, Errorf(InvalidRequest, "prompt=none cannot be combined with another value")
	}

	return p, nil
}

// Has reports whether value was requested.
func (p Prompt) Has(value string) bool { return slices.Contains(p, value) }

// String joins the values with spaces, as in a request.
func (p Prompt) String() string { return strings.Join(p, " ") }
