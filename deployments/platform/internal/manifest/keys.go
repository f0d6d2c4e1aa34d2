package manifest

import "encoding/json"

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
