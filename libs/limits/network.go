package limits

import (
	"net/netip"
)

// Networks returns the networks that contain an address, widest first, ending with the address
// itself. An IPv4 address is in its /24. An IPv6 address is in its /32 (what a provider is
// given), its /48 and /56 (what a provider gives a customer, RFC 6177) and its /64 (one link of
// a customer, RFC 4291 2.5.4). It returns nil for an invalid address.
func Networks(addr netip.Addr) []netip.Prefix {
	addr = addr.Unmap().WithZone("")

	var lengths []int
	switch {
	case !addr.IsValid():
		return nil
	case addr.Is4():
		lengths = []int{24, 32}
	default:
		lengths = []int{32, 48, 56, 64}
	}

	networks := make([]netip.Prefix, len(lengths))
	for i, bits := range lengths {
		networks[i] = netip.PrefixFrom(addr, bits).Masked()
	}

	return networks
}

// Share is how much one network may have of something that callers compete for.
type Share struct {
	// Network is the network as part of a key; see [Address] for the narrowest. It is empty for
	// requests without an address.
	Network string
	Most    int
	// Several is set if several customers are expected in the network, so that it must not be
	// shut out because of one of them.
	Several bool
}

// Shares returns the share of each network of an address, widest first, if the address itself
// may have most. It is the rule for everything that is counted by network. A customer's wider
// networks (an IPv6 /56 and /48) may have two and four times as much. Networks that several
// customers share (an IPv4 /24, an IPv6 /32) may have four and forty times as much. Requests
// without an address have one share together.
func Shares(addr netip.Addr, most int) []Share {
	networks := Networks(addr)
	if networks == nil {
		return []Share{{Most: most}}
	}

	shares := make([]Share, len(networks))
	for i, network := range networks {
		factor, several := factorOf(network)
		shares[i] = Share{
			Network: network.String(),
			Most:    most * factor,
			Several: several,
		}
	}

	shares[len(shares)-1].Network = Address(addr)

	return shares
}

// factorOf returns how many times the share of an address a network may have, and whether
// several customers are expected in it.
func factorOf(network netip.Prefix) (factor int, several bool) {
	bits := network.Bits()
	if network.Addr().Is4() {
		if bits < 32 {
			return 4, true
		}
		return 1, false
	}

	switch {
	case bits < 48:
		return 40, true
	case bits < 56:
		return 4, false
	case bits < 64:
		return 2, false
	default:
		return 1, false
	}
}

// Site returns the smallest network that a party with several addresses is assumed to hold: the
// /48 of an IPv6 address and the /24 of an IPv4 address. It is empty for an invalid address.
func Site(addr netip.Addr) string {
	networks := Networks(addr)
	switch {
	case networks == nil:
		return ""
	case networks[0].Addr().Is4():
		return networks[0].String()
	default:
		return networks[1].String()
	}
}

// Caller is a party that requests a share of something scarce, such as processor time.
type Caller struct {
	// Address is where the request came from; it may be the zero address.
	Address netip.Addr
	// Known identifies the account whose browser this is, as a keyed hash. It is empty for an
	// unknown browser. Only a browser that proved that it signed in to the account before may
	// have one.
	Known string
}

// Path returns the caller's place in the tree of a fair queue; see package limits/fair. Known
// browsers have one half of everything, shared by account, and unknown ones the other half,
// shared by network.
func (c Caller) Path() []string {
	if c.Known != "" {
		return []string{"known", c.Known}
	}

	path := []string{"strangers"}
	for _, network := range Networks(c.Address) {
		path = append(path, network.String())
	}

	return path
}
