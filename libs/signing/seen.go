package signing

import (
	"crypto/sha256"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxSeen and maxSeenBytes bound the tokens that a ring remembers, since a caller may collect
	// and present any number of valid ones.
	maxSeen      = 10_000
	maxSeenBytes = 4 << 20
	// seenOverhead is what remembering a token costs beside its payload: its place in the map,
	// which may be half empty, and its kid.
	seenOverhead = 320
)

// tokenID identifies a token by the SHA-256 of every byte of it, the signature included.
type tokenID [sha256.Size]byte

// seenToken is a token whose signature was found good. It holds what is needed to judge its key
// anew at each look-up.
type seenToken struct {
	kid       string
	algorithm Algorithm // of the key; the kid doesn't say whether it is for logout tokens only
	typ       string
	payload   []byte
	expires   int64 // exp, in seconds since 1970
}

func (t *seenToken) size() int { return cap(t.payload) + seenOverhead }

// seenTokens remembers tokens whose signatures were good, until they expire. A look-up needs the
// whole token, so its duration reveals nothing but that the token was used before, and that only
// to a caller that holds the token. Tokens that aren't valid are never remembered.
type seenTokens struct {
	keys *atomic.Pointer[snapshot]

	mu       sync.RWMutex
	tokens   map[tokenID]seenToken
	bytes    int
	max      int
	maxBytes int
}

func newSeenTokens(keys *atomic.Pointer[snapshot]) *seenTokens {
	return &seenTokens{
		keys:     keys,
		tokens:   map[tokenID]seenToken{},
		max:      maxSeen,
		maxBytes: maxSeenBytes,
	}
}

// find returns a token that was seen before and hasn't expired, if the key that signed it still
// counts.
func (s *seenTokens) find(id tokenID, now time.Time, counts judge) (seenToken, bool) {
	s.mu.RLock()
	token, ok := s.tokens[id]
	s.mu.RUnlock()
	if !ok || token.expires <= now.Unix() {
		return seenToken{}, false
	}

	// A kid is the key's thumbprint, so the key of that kid is the one that verified the token.
	key, ok := s.keys.Load().byKID[token.kid]
	return token, ok && key.Algorithm == token.algorithm && counts(key, now)
}

// add remembers a token that key has verified. A token without an exp isn't remembered.
func (s *seenTokens) add(id tokenID, now time.Time, key *Key, typ string, payload []byte) {
	var claims struct {
		ExpiresAt int64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.ExpiresAt <= now.Unix() {
		return
	}

	token := seenToken{
		kid:       key.KID,
		algorithm: key.Algorithm,
		typ:       typ,
		payload:   payload,
		expires:   claims.ExpiresAt,
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	// The key may have been revoked since the token was verified, and forget may have ended.
	if !s.keys.Load().trusts(key.KID) {
		return
	}

	s.remove(id) // another caller may have added it
	for other := range s.tokens {
		if len(s.tokens) < s.max && s.bytes+token.size() <= s.maxBytes {
			break
		}
		s.remove(other) // an arbitrary one; it costs a check of its signature
	}

	s.tokens[id] = token
	s.bytes += token.size()
}

// forget removes the tokens that have expired and those whose keys were revoked or are no longer
// in the schedule. It must be called whenever the snapshot has been replaced.
func (s *seenTokens) forget(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()

	keys, at := s.keys.Load(), now.Unix()
	for id, token := range s.tokens {
		if token.expires <= at || !keys.trusts(token.kid) {
			s.remove(id)
		}
	}
}

// remove forgets one token; the caller holds mu.
func (s *seenTokens) remove(id tokenID) {
	if token, ok := s.tokens[id]; ok {
		delete(s.tokens, id)
		s.bytes -= token.size()
	}
}

func (s *seenTokens) len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.tokens)
}
