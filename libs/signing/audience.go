package signing

import (
	"encoding/json"
	"slices"
)

// Audience is the aud claim of a JWT, which is a string or an array of strings (RFC 7519 4.1.3).
// A single audience is encoded as a string.
type Audience []string

// MarshalJSON implements [json.Marshaler].
func (a Audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (a *Audience) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		*a = Audience{""}
		return json.Unmarshal(data, &(*a)[0])
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// Has reports whether audience is among the audiences.
func (a Audience) Has(audience string) bool { return slices.Contains(a, audience) }

// Sole returns the only audience, or "" if there is none or more than one.
func (a Audience) Sole() string {
	if len(a) != 1 {
		return ""
	}
	return a[0]
}
