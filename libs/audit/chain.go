package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"time"
)

// DayFormat is how days are written, in UTC.
const DayFormat = time.DateOnly

// Link is a row's place in its chain: the rows of one replica of a service in one
// day, each with the hash of the one before. Rows of versions that knew no chains
// have an empty one.
type Link struct {
	Chain    string // begins with the day
	Seq      int64  // from 1
	PrevHash []byte // of the row before; empty in the first
	Hash     []byte // of the row and PrevHash
}

// Digest returns the SHA-256 hash of PrevHash and all that the row says. Hash is not
// in it.
func (r *Record) Digest() []byte {
	// An array of texts has one form. The first says which.
	text, err := json.Marshal([]any{
		"audit 1", r.Chain, r.Seq, r.ID, r.At.UnixMicro(), r.Kind, r.Service, r.UserID,
		r.Account, r.ClientID, r.TenantID,
		r.SessionID, r.GrantID, r.Address, r.Reference, r.sortedDetail(),
	})
	if err != nil { // only for types that this array has not
		panic(err)
	}

	sum := sha256.Sum256(append(bytes.Clone(r.PrevHash), text...))
	return sum[:]
}

// sortedDetail is the detail as JSON orders it; none and empty are alike.
func (r *Record) sortedDetail() map[string]string {
	if r.Detail == nil {
		return map[string]string{}
	}
	return r.Detail
}

// Day returns the day of a chain.
func (l Link) Day() string {
	if len(l.Chain) < len(DayFormat) {
		return ""
	}
	return l.Chain[:len(DayFormat)]
}

// Follow makes r the row after l in its chain. A row of another day has no place in
// it: its chain must be a new one.
func (l Link) Follow(r *Record) {
	r.Link = Link{Chain: l.Chain, Seq: l.Seq + 1, PrevHash: l.Hash}
	r.Hash = r.Digest()
}
