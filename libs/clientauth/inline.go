package clientauth

import (
	"crypto/sha256"
	"sync"
)

// maxInlineKeys bounds the keys that are kept parsed, of all sets together. A set counts as one
// more, since it may be empty.
const maxInlineKeys = 4000

// inlineSets keeps the key sets that applications registered inline as parsed. What parsing gives
// depends on nothing but the document, so a set is found by the document's SHA-256, and an
// application whose keys have changed can't be given its former ones. The zero value is ready to
// use.
type inlineSets struct {
	mu   sync.RWMutex
	sets map[[sha256.Size]byte]*KeySet
	keys int // what counts towards maxInlineKeys
}

// parse is like ParseKeySet but parses each document once.
func (s *inlineSets) parse(raw []byte) (*KeySet, error) {
	id := sha256.Sum256(raw)
	s.mu.RLock()
	set, ok := s.sets[id]
	s.mu.RUnlock()
	if ok {
		return set, nil
	}

	set, err := ParseKeySet(raw)
	if err != nil {
		return nil, err
	}

	s.keep(id, set)
	return set, nil
}

func (s *inlineSets) keep(id [sha256.Size]byte, set *KeySet) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if _, there := s.sets[id]; there { // another caller has parsed it too
		return
	}

	if s.sets == nil {
		s.sets = map[[sha256.Size]byte]*KeySet{}
	}

	for other, old := range s.sets {
		if s.keys+len(set.keys) < maxInlineKeys {
			break
		}
		delete(s.sets, other) // an arbitrary one; it costs parsing it again
		s.keys -= len(old.keys) + 1
	}

	s.sets[id] = set
	s.keys += len(set.keys) + 1
}
