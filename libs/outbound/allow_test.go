package outbound

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExceptionsThatCanBeRead(t *testing.T) {
	a, err := ParseAllow([]string{
		"IdP.Internal.", " billing.internal:8443 ", "", "127.0.0.1", "::1", "[fd00::1]:9000", "[fd00::2]",
		"10.1.2.3/16", "fd12::/48",
	})
	require.NoError(t, err)

	for _, hostPort := range [][2]string{
		{"idp.internal", "443"},
		{"IDP.INTERNAL", "80"},
		{"idp.internal.", "1"},
		{"billing.internal", "8443"},
		{"127.0.0.1", "8080"},
		{"::1", "443"},
		{"fd00::1", "9000"},
		{"fd00:0::2", "1"},
	} {
		require.True(t, a.host(hostPort[0], hostPort[1]), hostPort)
	}

	for _, hostPort := range [][2]string{
		{"x.idp.internal", "443"},
		{"billing.internal", "443"},
		{"billing.internal", ""},
		{"fd00::1", "443"},
		{"127.0.0.2", "443"},
		{"", "443"},
		{"10.1.0.1", "443"},
	} {
		require.False(t, a.host(hostPort[0], hostPort[1]), hostPort)
	}

	for address, want := range map[string]bool{
		"10.1.0.0":          true,
		"10.1.255.255":      true,
		"10.2.0.0":          false,
		"::ffff:10.1.0.1":   true,
		"64:ff9b::10.1.0.1": true,
		"fd12::1":           true,
		"fd13::1":           false,
	} {
		require.Equal(t, want, a.address(netip.MustParseAddr(address)), address)
	}
}

func TestExceptionsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ entry, says string }{
		"a URL":                  {"https://idp.internal", "isn't a host"},
		"a network without bits": {"10.0.0.0/", "isn't a host"},
		"everything":             {"0.0.0.0/0", "every address"},
		"everything of IPv6":     {"::/0", "every address"},
		"a wildcard":             {"*.internal", "without wildcards"},
		"spaces":                 {"a b", "isn't a host"},
		"a dot alone":            {".", "isn't a host"},
		"an empty label":         {"a..b", "isn't a host"},
		"a port alone":           {":443", "isn't a host"},
		"no port after a colon":  {"idp.internal:", "from 1 to 65535"},
		"port 0":                 {"idp.internal:0", "from 1 to 65535"},
		"a port too large":       {"idp.internal:65536", "from 1 to 65535"},
		"a named port":           {"idp.internal:https", "from 1 to 65535"},
		"a zone":                 {"fe80::1%eth0", "isn't a host"},
		"a long name":            {strings.Repeat("a.", 127) + "aa", "isn't a host"},
	} {
		_, err := ParseAllow([]string{"good.internal", c.entry})
		require.ErrorContains(t, err, c.says, name)
		require.ErrorContains(t, err, c.entry, name)
		_, err = New(Options{Allow: []string{c.entry}})
		require.Error(t, err, name)
	}

	_, err := ParseAllow([]string{"*", "a b"})
	require.ErrorContains(t, err, `"*"`)
	require.ErrorContains(t, err, `"a b"`, "all at once")
}

func FuzzParseAllow(f *testing.F) {
	for _, seed := range []string{
		"idp.internal:8443", "[::1]:1", "10.0.0.0/8", "::ffff:10.0.0.1", "a:b:c", "[", "]:1",
		"fe80::1%x", "%", "/", "0.0.0.0/0",
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, entry string) {
		a, err := ParseAllow([]string{entry})
		if err != nil {
			require.Empty(t, a.hosts)
			require.Empty(t, a.networks)
			return
		}

		require.LessOrEqual(t, len(a.hosts)+len(a.networks), 1)
		require.False(t, a.host("", ""))

		for _, n := range a.networks {
			require.Positive(t, n.Bits(), "never all addresses")
		}

		for host := range a.hosts {
			again, err := ParseAllow([]string{host})
			require.NoError(t, err, "what is kept can be written")
			require.Equal(t, a, again)
		}
	})
}
