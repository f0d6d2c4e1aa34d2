package testkit

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync/atomic"

	"golang.org/x/net/dns/dnsmessage"
)

// Names returns a resolver that answers each look-up of a name with the next of the given
// IPv4 addresses, and repeats the last one for ever. It imitates a name that is rebound. It
// has no IPv6 addresses.
func Names(answers ...string) *net.Resolver {
	var asked atomic.Int64
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answer(theirs, func() netip.Addr {
			i := min(int(asked.Add(1)), len(answers)) - 1
			return netip.MustParseAddr(answers[i])
		})
		return ours, nil
	}}
}

// answer speaks DNS as over TCP (RFC 1035 4.2.2), which the resolver does on a connection
// that isn't a packet connection.
func answer(c net.Conn, next func() netip.Addr) {
	defer func() { _ = c.Close() }()
	length := make([]byte, 2)
	if _, err := io.ReadFull(c, length); err != nil {
		return
	}

	query := make([]byte, int(length[0])<<8|int(length[1]))
	if _, err := io.ReadFull(c, query); err != nil {
		return
	}

	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return
	}

	q := m.Questions[0]
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil

	if q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
			Body:   &dnsmessage.AResource{A: next().As4()},
		}}
	}

	reply, err := m.Pack()
	if err != nil {
		return
	}

	head := []byte{byte(len(reply) >> 8), byte(len(reply))} //nolint:gosec // a reply of one record is short
	_, _ = c.Write(append(head, reply...))
}
