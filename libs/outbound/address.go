package outbound

import "net/netip"

// refused are the IPv4 networks that are not the public Internet (IANA IPv4
// Special-Purpose Address Registry, RFC 6890).
var refused = prefixes(
	"0.0.0.0/8",        // this network
	"10.0.0.0/8",       // private (RFC 1918)
	"100.64.0.0/10",    // shared by carriers (RFC 6598)
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // Azure's host agent, which only its guests can reach
	"169.254.0.0/16",   // link-local, including cloud metadata and credentials
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays (RFC 7526)
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, and broadcast
)

// global is the part of IPv6 that IANA allocates as global unicast. Everything else (loopback,
// unique local, link-local, multicast, local NAT64) is outside.
var global = netip.MustParsePrefix("2000::/3")

// refused6 are the parts of global that aren't the public Internet.
var refused6 = prefixes(
	"2001::/23",     // protocol assignments: Teredo, benchmarks, ORCHID
	"2001:db8::/32", // documentation
	"2002::/16",     // 6to4 carries any IPv4 address
	"3fff::/20",     // documentation (RFC 9637)
)

// nat64 is the prefix through which a translator reaches IPv4 (RFC 6052 2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Public reports whether an address belongs to the public Internet. An IPv6 address that stands
// for an IPv4 address, mapped or through NAT64, is judged by the latter: in an IPv6-only
// network every IPv4 host has such an address.
func Public(addr netip.Addr) bool {
	if !addr.IsValid() || addr.Zone() != "" {
		return false
	}

	addr = plain(addr)
	if addr.Is4() {
		return !within(refused, addr)
	}
	return global.Contains(addr) && !within(refused6, addr)
}

// plain returns the IPv4 address that an IPv6 address stands for, or the address itself.
func plain(addr netip.Addr) netip.Addr {
	addr = addr.Unmap()
	if !nat64.Contains(addr) {
		return addr
	}
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

func within(list []netip.Prefix, addr netip.Addr) bool {
	for _, p := range list {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, p := range list {
		out[i] = netip.MustParsePrefix(p)
	}
	return out
}
