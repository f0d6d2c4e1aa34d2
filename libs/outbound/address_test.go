package outbound

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyTheInternetIsPublic(t *testing.T) {
	for name, addresses := range map[string][]string{
		"this network": {"0.0.0.0", "0.1.2.3"},
		"private (RFC 1918)": {
			"10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1",
		},
		"loopback":                      {"127.0.0.1", "127.255.255.254", "::1"},
		"link-local":                    {"169.254.0.1", "169.254.169.254", "fe80::1", "febf::1"},
		"a zone":                        {"fe80::1%eth0", "2606:4700::1111%eth0"},
		"shared by carriers (RFC 6598)": {"100.64.0.0", "100.127.255.255"},
		"a host agent":                  {"168.63.129.16"},
		"protocol assignments":          {"192.0.0.1", "192.0.0.192", "2001::1", "2001:1ff:ffff::1"},
		"documentation":                 {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"},
		"6to4":                          {"192.88.99.1", "2002::1", "2002:a00:1::1"},
		"benchmarks":                    {"198.18.0.1", "198.19.255.255"},
		"multicast":                     {"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"},
		"reserved, and broadcast":       {"240.0.0.1", "255.255.255.255"},
		"mapped (RFC 4291 2.5.5.2)": {
			"::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0",
		},
		"compatible (RFC 4291 2.5.5.1)":     {"::10.0.0.1", "::127.0.0.1", "::8.8.8.8"},
		"through NAT64 (RFC 6052)":          {"64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe"},
		"through a local NAT64 (RFC 8215)":  {"64:ff9b:1::1", "64:ff9b:1::8.8.8.8"},
		"unspecified":                       {"::"},
		"unique local":                      {"fc00::1", "fd00:ec2::254", "fdff::1"},
		"site-local":                        {"fec0::1"},
		"discard-only (RFC 6666)":           {"100::1"},
		"not given out by IANA":             {"4000::1", "e000::1"},
		"segment routing (RFC 9602)":        {"5f00::1"},
		"translated (RFC 2765, deprecated)": {"::ffff:0:10.0.0.1"},
	} {
		for _, a := range addresses {
			require.False(t, Public(netip.MustParseAddr(a)), "%s: %s", name, a)
		}
	}

	for _, a := range []string{
		"8.8.8.8", "1.0.0.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
		"128.0.0.1", "169.253.255.255",
		"172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "198.17.255.255",
		"198.20.0.0", "223.255.255.255",
		"2606:4700::1111", "2001:200::1", "2001:4860::8888", "2003::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
	} {
		require.True(t, Public(netip.MustParseAddr(a)), a)
	}

	require.False(t, Public(netip.Addr{}))
}
