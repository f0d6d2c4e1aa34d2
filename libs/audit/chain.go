package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"time"
)

// DayFormat is the format of days, which are in UTC.
const DayFormat = time.DateOnly

// Link is a row's place in its chain. A chain holds the rows of one replica of a service on one
// day, each with the hash of the row before. Rows of versions without chains have an empty
// Link.
type Link struct {
	Chain    string // begins with the day
	Seq      int64  // from 1
	PrevHash []byte // of the row before; empty in the first
	Hash     []byte // of the row and PrevHash
}

// Digest returns the SHA-256 hash of PrevHash and everything the row says, except Hash.
func (r *Record) Digest() []byte {
	// An array of strings has only one encoding. The first string is its version.
	text, err := json.Marshal([]any{
		"audit 1", r.Chain, r.Seq, r.ID, r.At.UnixMicro(), r.Kind, r.Service, r.UserID,
		r.Account, r.ClientID, r.TenantID,
		r.SessionID, r.GrantID, r.Address, r.Reference, r.sortedDetail(),
	})
	if err != nil { // only for types that this array doesn't have
		panic(err)
	}

	sum := sha256.Sum256(append(bytes.Clone(r.PrevHash), text...))
	return sum[:]
}

// sortedDetail returns the detail in the order of its JSON encoding; nil and empty are the
// same.
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

// Follow makes r the row after l in its chain. A row of another day doesn't belong in it and
// must start a new chain.
func (l Link) Follow(r *Record) {
	r.Link = Link{Chain: l.Chain, Seq: l.Seq + 1, PrevHash: l.Hash}
	r.Hash = r.Digest()
}
