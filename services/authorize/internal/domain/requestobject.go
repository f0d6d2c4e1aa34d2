package domain

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// wishes holds what a request object says about the response.
type wishes struct {
	State        string `json:"state"`
	ResponseMode string `json:"response_mode"`
}

// wishesOf reads a request object (OpenID Connect Core 6.1). Request objects are refused,
// but the refusal reaches the application only with the mode and state given in the object.
// Nothing is verified and nothing else is read. An attacker who makes up an object controls
// no more than with the parameters of the same names, because the response goes to the
// registered redirect_uri of the query. If object isn't a JWT, the result is empty.
func wishesOf(object string) wishes {
	parts := strings.Split(object, ".")
	if len(parts) != 3 {
		return wishes{}
	}

	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return wishes{}
	}

	var w wishes
	if json.Unmarshal(payload, &w) != nil || strings.ContainsRune(w.State, 0) {
		return wishes{}
	}

	return w
}
