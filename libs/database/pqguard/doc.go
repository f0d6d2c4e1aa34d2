// Package pqguard makes connections of lib/pq that a broken network, a silent server and a
// failover can't harm. Package database opens PostgreSQL through it.
//
// It mends what lib/pq 1.12 does, in the order in which a connection lives:
//
//   - Connecting. The driver observes its context until TCP is connected, but not while it
//     waits for the server's greeting. A [Connector] closes the wire when the context ends.
//   - Several hosts. The driver takes a URL's ports for parts of the hosts' names, unlike libpq;
//     [ParseURL] and [DSN] know better. If none of them satisfies target_session_attrs, the driver
//     returns a plain text, which [ErrNoPrimary] lets the caller recognize as temporary, since
//     during a failover it is.
//   - Poolers. PgBouncer refuses statement_timeout and its like at the start of a connection,
//     and the driver gives up. A Connector then connects without them, and [Connector.Pooled]
//     reports it.
//   - Silence. When a context ends, the driver asks the server to cancel and waits for the
//     answer, for ever if the server is stopped or the network swallows packets. Here the wire
//     has a deadline: that of the context, or of the patience given to [New], and a short
//     grace.
//   - Loss. When a connection breaks after a statement was sent, the driver may return
//     driver.ErrBadConn, and database/sql sends the statement again although it may have been
//     executed. An authorization code would then look replayed. Here it is [ErrLost], unless
//     nothing was sent.
//   - Reuse. The driver doesn't notice that the server has closed an idle connection before it
//     writes to it, so after a restart the first statement on each would be lost. Here the
//     socket is looked at first.
//   - Demotion. A primary that becomes a standby keeps its connections, and so the pool would
//     keep writing to it. Here read_only_sql_transaction (25006) takes the connection out of
//     the pool.
//
// Statements are not prepared, because a pooler in transaction mode would lose them.
//
// Each point can go when the driver does it by itself, and the package when all are gone or the
// driver is replaced by one that ends with its context and tells a lost statement from an
// unsent one, as pgx does with SafeToRetry. faults_test.go of package database holds for
// whatever driver there is, and says whether that is so.
package pqguard
