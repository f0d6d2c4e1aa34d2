package pqguard_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database/pqguard"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// message is one of a client's messages. The first of a connection has no kind.
type message struct {
	kind []byte
	body []byte
}

func readMessage(r io.Reader, kinds int) (message, error) {
	head := make([]byte, kinds+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return message{}, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[kinds:])-4)
	_, err := io.ReadFull(r, body)
	return message{head[:kinds], body}, err
}

func (m message) bytes() []byte {
	return append(binary.BigEndian.AppendUint32(bytes.Clone(m.kind), uint32(len(m.body)+4)), m.body...)
}

// renamed gives a prepared statement a name as PgBouncer does with max_prepared_statements.
func (m message) renamed() message {
	at := map[string]int{"P": 0, "B": bytes.IndexByte(m.body, 0) + 1, "D": 1, "C": 1}
	start, named := at[string(m.kind)]
	portal := (string(m.kind) == "D" || string(m.kind) == "C") && m.body[0] == 'P'
	if !named || portal || m.body[start] == 0 {
		return m
	}
	return message{m.kind, append(append(bytes.Clone(m.body[:start]), "PGBOUNCER_"...), m.body[start:]...)}
}

// forward passes a connection on to the server, unless it has settings that PgBouncer refuses.
func forward(client net.Conn, target string) {
	defer func() { _ = client.Close() }()
	start, err := readMessage(client, 0)
	if err != nil {
		return
	}
	if bytes.Contains(start.body, []byte("pqguard.connection")) {
		refusal := []byte("SFATAL\x00C08P01\x00Munsupported startup parameter: pqguard.connection\x00\x00")
		_, _ = client.Write(message{[]byte("E"), refusal}.bytes())
		return
	}

	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()

	var answering sync.WaitGroup
	answering.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	defer answering.Wait()
	defer func() { _ = server.Close() }()

	for m := start; err == nil; m, err = readMessage(client, 1) {
		if _, err := server.Write(m.renamed().bytes()); err != nil {
			return
		}
	}
}

// renamingPooler starts a stand-in for a PgBouncer that keeps prepared statements, since not
// every system has one, and returns the database's URL through it.
func renamingPooler(t *testing.T, dbURL string) string {
	t.Helper()
	u, err := url.Parse(dbURL)
	require.NoError(t, err)
	target := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)

	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { forward(client, target) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		serving.Wait()
	})

	u.Host = listener.Addr().String()
	return u.String()
}

func TestAPoolerThatKeepsStatementsGetsThem(t *testing.T) {
	through := renamingPooler(t, testkit.PostgresServer(t).NewDatabase(t))
	for _, mode := range []pqguard.Prepare{pqguard.PrepareAuto, pqguard.PrepareAlways} {
		db := openWith(t, through, 1, pqguard.Options{Prepare: mode})
		for range 3 {
			require.Equal(t, "2", query(t, db, `SELECT 1 + $1::int`, 1))
		}
		require.Equal(t, "PGBOUNCER_2", query(t, db, `SELECT name FROM pg_prepared_statements`),
			"the first one found out how they are named, and is closed")
	}
}

// A pooler that is replaced by one that keeps no statements costs no request.
func TestAPoolerThatCeasesToKeepStatementsIsNoticed(t *testing.T) {
	db := openWith(t, renamingPooler(t, testkit.PostgresServer(t).NewDatabase(t)), 1, pqguard.Options{})
	require.Equal(t, "2", query(t, db, `SELECT 1 + $1::int`, 1))
	exec(t, db, `DEALLOCATE ALL`)
	require.Equal(t, "2", query(t, db, `SELECT 1 + $1::int`, 1))
	require.Equal(t, "2", query(t, db, `SELECT 1 + $1::int`, 1))
	require.Equal(t, "0", prepared(t, db))
}
