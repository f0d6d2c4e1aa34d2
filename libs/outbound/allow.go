package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Allow is a parsed list of exceptions. The zero value has none.
type Allow struct {
	hosts    map[string]bool // "name" for all ports, or "name:port"
	networks []netip.Prefix
}

// ParseAllow parses exceptions. An entry is a host ("idp.internal"), a host with a port
// ("127.0.0.1:8443") or a CIDR ("10.1.0.0/16"). A host may have any address and may be
// contacted over http; a CIDR only allows names to resolve into it, over https. The error names
// every entry that can't be parsed.
func ParseAllow(entries []string) (Allow, error) {
	a := Allow{hosts: map[string]bool{}}
	var problems []error
	for _, entry := range entries {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		if err := a.add(entry); err != nil {
			problems = append(problems, err)
		}
	}

	return a, errors.Join(problems...)
}

func (a *Allow) add(entry string) error {
	if strings.Contains(entry, "/") {
		network, err := netip.ParsePrefix(entry)
		switch {
		case err != nil:
			return fmt.Errorf("%q isn't a host, host:port or CIDR; write for example idp.internal:8443 or 10.1.0.0/16", entry)
		case network.Bits() == 0:
			return fmt.Errorf("%q allows every address; list only the networks that are needed", entry)
		}

		a.networks = append(a.networks, network.Masked())
		return nil
	}

	host, port := splitEntry(entry)
	if !validHost(host) {
		return fmt.Errorf("%q isn't a host; write a name or an address without wildcards, such as idp.internal:8443",
			entry)
	}

	if port == "" {
		a.hosts[canonical(host)] = true
		return nil
	}

	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%q: the port isn't a number from 1 to 65535", entry)
	}

	a.hosts[net.JoinHostPort(canonical(host), strconv.FormatUint(n, 10))] = true
	return nil
}

// splitEntry separates the port, if there is one. An IPv6 address may be with or without
// brackets.
func splitEntry(entry string) (host, port string) {
	if _, err := netip.ParseAddr(entry); err == nil {
		return entry, ""
	}

	if inner, ok := strings.CutPrefix(entry, "["); ok && strings.HasSuffix(inner, "]") {
		return strings.TrimSuffix(inner, "]"), ""
	}

	host, port, err := net.SplitHostPort(entry)
	if err != nil {
		return entry, ""
	}

	if port == "" {
		port = "0" // "host:" is a mistake and doesn't mean every port
	}

	return host, port
}

// validHost accepts addresses without a zone, and names of letters, digits, hyphens and
// underscores.
func validHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == ""
	}

	name := strings.TrimSuffix(host, ".")
	if name == "" || len(name) > 253 {
		return false
	}

	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(strings.ToLower(label),
			"abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}

	return true
}

// canonical returns the canonical form of a host.
func canonical(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// host reports whether the operator trusts a host by name, at this port.
func (a Allow) host(host, port string) bool {
	host = canonical(host)
	return a.hosts[host] || a.hosts[net.JoinHostPort(host, port)]
}

// address reports whether the operator trusts an address, whatever name resolves to it.
func (a Allow) address(addr netip.Addr) bool {
	return within(a.networks, addr.Unmap()) || within(a.networks, plain(addr))
}
