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

// Stored sets the costs that stored hashes have. From now on each check computes a hash of each
// of these, and of the cost of new hashes.
func (h *Hasher) Stored(costs []Params) {
	h.mu.Lock()
	defer h.mu.Unlock()

	h.costs = sorted(append(slices.Clone(costs), h.params))
}

// Costs returns the costs that each check pays for, in the order in which it does. The caller
// must not modify the slice.
func (h *Hasher) Costs() []Params {
	h.mu.Lock()
	defer h.mu.Unlock()

	return h.costs
}

// meet returns the costs that a check pays for, after adding cost if it wasn't known yet.
func (h *Hasher) meet(cost Params) []Params {
	h.mu.Lock()
	defer h.mu.Unlock()

	if !slices.Contains(h.costs, cost) {
		h.costs = sorted(append(slices.Clone(h.costs), cost))
	}

	return h.costs
}

func sorted(costs []Params) []Params {
	slices.SortFunc(costs, func(a, b Params) int {
		return cmp.Or(cmp.Compare(a.Memory, b.Memory), cmp.Compare(a.Time, b.Time), cmp.Compare(a.Threads, b.Threads))
	})

	return slices.Compact(costs)
}
