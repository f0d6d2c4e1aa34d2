package domain

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// wishes are what a request object says about the answer.
type wishes struct {
	State        string `json:"state"`
	ResponseMode string `json:"response_mode"`
}

// wishesOf reads a request object (OpenID Connect Core 6.1), which is refused: the
// refusal reaches its application only by the mode and with the state that stand in
// the object. Nothing is verified and nothing else is read. A stranger who makes an
// object up chooses no more than by the parameters of the same names, because the
// answer goes to the registered redirect_uri of the query. Whatever is no JWT has no
// wishes.
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
