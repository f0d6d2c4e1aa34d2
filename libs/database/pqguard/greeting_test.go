package pqguard

import (
	"context"
	"net"
	"os"
	"testing"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
)

// late is a wire on which each write comes after the deadline, as on a machine so busy that the
// greeting takes longer than connect_timeout.
type late struct{ net.Conn }

func (late) Write([]byte) (int, error) {
	return 0, &net.OpError{Op: "write", Net: "tcp", Err: os.ErrDeadlineExceeded}
}

type lateDialer struct{ dialer }

func (d lateDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.dialer.DialContext(ctx, network, address)
	if err == nil {
		w := conn.(*wire)
		w.Conn = late{w.Conn}
	}
	return conn, err
}

func TestAGreetingThatTakesTooLongIsAFaultOfTheNetwork(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })

	connector, err := pq.NewConnector("postgres://user:secret@" + l.Addr().String() + "/name?sslmode=disable")
	require.NoError(t, err)
	connector.Dialer(lateDialer{})

	_, err = new(Connector).open(t.Context(), connector)
	var fault net.Error
	require.ErrorAs(t, err, &fault)
	require.True(t, fault.Timeout())
}
