// Package pqguard makes connections of lib/pq that a broken network, a silent server and a
// failover can't harm. Package database opens PostgreSQL through it.
//
// It mends what lib/pq 1.12 does, in the order in which a connection lives:
//
//   - Connecting. The driver observes its context until TCP is connected, but not while it
//     waits for the server's greeting. A [Connector] closes the wire when the context ends.
//     If the wire fails during the greeting, the driver may return an error of its own that
//     hides why. Here the wire's error is joined to it.
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
// It also prepares statements, once a connection, so that PostgreSQL needn't plan each anew; the
// driver prepares only what its caller asks it to. After that an execution is one round trip, as
// without. See [Prepare].
//
//   - What. A statement with parameters, outside a transaction. One without may be a script, COPY,
//     LISTEN or SET. Within a transaction a stale plan would abort everything. A connection keeps
//     the [mostPrepared] statements it used last, so invented SQL doesn't fill the server.
//   - Poolers. The driver names its statements 1, 2, 3, …, so behind a pooler in transaction mode
//     that doesn't rename them, a client could execute another's statement. Therefore each
//     new connection first finds out whether the session is its own, by a setting that a pooler
//     refuses or drops, or else whether the pooler renames statements, as PgBouncer does from 1.21
//     with max_prepared_statements. If neither, nothing is prepared.
//   - Migrations. A statement that was prepared before one may return other types than announced,
//     or its parameters may have the old ones. Outside a transaction a statement that failed has
//     changed nothing, so it runs again without preparation.
//   - Sessions. The server plans anew when the search path or the role changes, and checks rights at
//     each execution. After DISCARD ALL or DEALLOCATE ALL statements are prepared again.
//
// Each point can go when the driver does it by itself, and the package when all are gone or the
// driver is replaced by one that ends with its context and tells a lost statement from an
// unsent one, as pgx does with SafeToRetry. faults_test.go of package database holds for
// whatever driver there is, and says whether that is so.
package pqguard
