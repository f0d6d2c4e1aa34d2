package password

import (
	"cmp"
	"slices"
)

// Cost returns the work of a hash in KiB times passes. The number of threads does not change
// it.
func (p Params) Cost() uint64 { return uint64(p.Memory) * uint64(p.Time) }

// ParseCost parses the cost of a stored hash as its PHC string has it, "m=19456,t=2,p=1". Its
// error wraps ErrFormat.
func ParseCost(s string) (Params, error) {
	var p parsed
	err := p.parseCost(s)

	return p.Params, err
}

// New returns the cost of new hashes.
func (h *Hasher) New() Params { return h.params }

// every returns the costs that a check pays for, in the order in which it does: those of stored
// hashes, that of new hashes, and the one of the hash in question. The last is among the stored
// ones already, unless the hash was replaced before they were read.
func (h *Hasher) every(stored []Params, cost Params) []Params {
	return sorted(append(slices.Clone(stored), h.params, cost))
}

func sorted(costs []Params) []Params {
	slices.SortFunc(costs, func(a, b Params) int {
		return cmp.Or(cmp.Compare(a.Memory, b.Memory), cmp.Compare(a.Time, b.Time), cmp.Compare(a.Threads, b.Threads))
	})

	return slices.Compact(costs)
}
