//go:build unix

package pqguard

import (
	"net"
	"syscall"
)

// quiet reports whether nothing has arrived on an idle connection. The server sends something
// on it only when it shuts down or has new settings; either way the connection should be
// replaced.
func quiet(conn net.Conn) bool {
	raw, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}

	control, err := raw.SyscallConn()
	if err != nil {
		return false
	}

	silent := false
	err = control.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK) // the socket is non-blocking
		silent = err == syscall.EAGAIN || err == syscall.EINTR
	})

	return err == nil && silent
}
