package httpkit

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// ClientAddr returns the address a request came from: the peer's or, if the peer is a trusted
// proxy, the rightmost hop in X-Forwarded-For that isn't one. An entry that isn't an address
// ends the search at the last hop that could be trusted. The result is invalid only if the
// connection has no IP address (a UNIX socket). IPv4-mapped addresses are unmapped and zones
// dropped.
func ClientAddr(c *gin.Context) netip.Addr {
	return clientAddr(c.Request, exchangeOf(c).edge.trusted)
}

func clientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr, _ := parseHop(r.RemoteAddr)
	if !isTrusted(addr, trusted) {
		return addr
	}

	for _, line := range slices.Backward(r.Header["X-Forwarded-For"]) {
		for line != "" {
			hop := line
			if i := strings.LastIndexByte(line, ','); i >= 0 {
				line, hop = line[:i], line[i+1:]
			} else {
				line = ""
			}

			next, ok := parseHop(strings.TrimSpace(hop))
			if !ok {
				return addr
			}

			addr = next
			if !isTrusted(addr, trusted) {
				return addr
			}
		}
	}

	return addr
}

// forwardedIgnored reports whether an untrusted peer sent X-Forwarded-For.
func forwardedIgnored(r *http.Request, trusted []netip.Prefix) bool {
	peer, _ := parseHop(r.RemoteAddr)
	return r.Header.Get("X-Forwarded-For") != "" && !isTrusted(peer, trusted)
}

func isTrusted(addr netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// parseHop parses an address with or without a port. An IPv6 address may be in brackets.
func parseHop(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}

// unmapPrefix converts ::ffff:10.0.0.0/104 to 10.0.0.0/8, the form that Contains compares with.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}
