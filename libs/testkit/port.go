package testkit

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// portsGiven counts what FreeAddr gave away.
var portsGiven atomic.Uint32

// FreeAddr is a loopback address that nobody listens on, for a process that must
// be told before it starts. Each is given once, and all lie below the ports that
// the kernel takes for connections, so that nobody else gets one in between.
func FreeAddr(t testing.TB) string {
	t.Helper()
	const first, many = 10_000, 20_000
	for range many {
		port := first + (uint32(os.Getpid())*131+portsGiven.Add(1))%many //nolint:gosec // any number will do
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
