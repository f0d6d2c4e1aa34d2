package testkit

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// portsGiven counts the addresses that FreeAddr has returned.
var portsGiven atomic.Uint32

// FreeAddr returns a loopback address on which no process listens, for a process that needs
// its address before it starts. It returns each address once. All ports are below those
// that the kernel uses for outgoing connections, so that no connection takes one in
// between.
func FreeAddr(t testing.TB) string {
	t.Helper()
	const first, many = 10_000, 20_000
	for range many {
		port := first + (uint32(os.Getpid())*131+portsGiven.Add(1))%many //nolint:gosec // any number works
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))   //nolint:noctx // closed at once
		if err != nil {
			continue
		}

		require.NoError(t, l.Close())
		return l.Addr().String()
	}

	require.Fail(t, "no port is free")
	return ""
}
