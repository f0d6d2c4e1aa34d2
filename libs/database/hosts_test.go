package database_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// cluster is two servers with the same login and database, as a primary and its
// standby have them. Which of them refuses writes is for the test to say.
type cluster struct {
	servers [2]*testkit.PGServer
	admins  [2]*database.DB
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	var c cluster
	for i := range c.servers {
		c.servers[i] = testkit.OwnPostgresServer(t)
		c.admins[i] = testkit.OpenPostgres(t, c.servers[i].URL("postgres"))
		c.exec(t, i, `CREATE ROLE app LOGIN PASSWORD 'p@ss,word'`)
		c.exec(t, i, `CREATE DATABASE pair OWNER app`)
	}
	return &c
}

func (c *cluster) exec(t *testing.T, i int, statement string) {
	t.Helper()
	_, err := c.admins[i].Exec(t.Context(), "test.cluster", statement)
	require.NoError(t, err)
}

func (c *cluster) readOnly(t *testing.T, i int, value string) {
	t.Helper()
	c.exec(t, i, `ALTER ROLE app SET default_transaction_read_only = `+value)
}

// url has the hosts of both, in order, after those that are given.
func (c *cluster) url(t *testing.T, before ...string) string {
	t.Helper()
	hosts := before
	for _, server := range c.servers {
		u, err := url.Parse(server.URL("pair"))
		require.NoError(t, err)
		hosts = append(hosts, u.Host)
	}
	return "postgres://app:p%40ss%2Cword@" + strings.Join(hosts, ",") + "/pair?sslmode=disable"
}

func (c *cluster) port(t *testing.T, i int) (port int) {
	t.Helper()
	require.NoError(t, c.admins[i].Get(t.Context(), "test.port", &port, `SELECT inet_server_port()`))
	return port
}

func TestOfSeveralHostsTheOneThatTakesWritesIsUsed(t *testing.T) {
	c := newCluster(t)
	c.readOnly(t, 0, "on")
	connected := func(raw string) (port int) {
		db := open(t, database.Options{URL: raw})
		require.NoError(t, db.Get(t.Context(), "test.port", &port, `SELECT inet_server_port()`))
		return port
	}

	require.Equal(t, c.port(t, 1), connected(c.url(t)), "the first is a standby")
	require.Equal(t, c.port(t, 1), connected(c.url(t, "127.0.0.1:1")), "and one before it is gone")
	require.Equal(t, c.port(t, 1), connected(c.url(t)+"&target_session_attrs=read-write"))
	require.Equal(t, c.port(t, 0), connected(c.url(t)+"&target_session_attrs=any"), "who asks for any has the first")

	db := open(t, database.Options{URL: c.url(t), MaxOpen: 1})
	_, err := db.Exec(t.Context(), "test.create", `CREATE TABLE things (id text)`)
	require.NoError(t, err)
	_, err = database.Open(t.Context(), database.Options{URL: c.url(t) + "&target_session_attrs=standby"})
	requireKind(t, database.KindUnavailable, err)

	// The failover: the second becomes the standby, the first the primary.
	c.readOnly(t, 0, "off")
	c.readOnly(t, 1, "on")
	require.Equal(t, c.port(t, 0), connected(c.url(t)))

	// While neither is the primary the database is away, which passes.
	c.readOnly(t, 0, "on")
	_, err = database.Open(context.WithoutCancel(t.Context()), database.Options{URL: c.url(t)})
	requireKind(t, database.KindUnavailable, err)
	require.NotContains(t, err.Error(), "ss,word")
}
