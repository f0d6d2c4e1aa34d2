package database

import (
	"context"

	"github.com/jmoiron/sqlx"
)

// Runner is what a [DB] and a [Tx] share. In every method name is a constant
// such as "grants.redeem": it names the span, the metric and the error, in place
// of the statement. Placeholders are $1, $2, … on both dialects; struct fields
// are matched by their db tag, and a column without a field is an error.
//
// Errors are of type [*Error]: errors.Is finds [sql.ErrNoRows], and
// Unavailable() tells faults behind us from mistakes.
//
// A DB repeats a statement only when that cannot do its work twice: when nothing
// was sent, when the server took it back (deadlock, serialization failure), and a
// SELECT whose connection was lost. Anything else that was lost is the caller's to
// judge.
type Runner interface {
	// Get reads one row into a struct or a scalar; [sql.ErrNoRows] when there is none.
	Get(ctx context.Context, name string, dest any, query string, args ...any) error
	// Select reads all rows into a slice; none is not an error.
	Select(ctx context.Context, name string, dest any, query string, args ...any) error
	// Exec writes, and tells how many rows it touched.
	Exec(ctx context.Context, name, query string, args ...any) (affected int64, err error)
	// Returning runs one statement that writes and returns one row, such as
	// UPDATE … RETURNING; [sql.ErrNoRows] when it touched none.
	Returning(ctx context.Context, name string, dest any, query string, args ...any) error
}

// queries implements Runner over a pool or a transaction.
type queries struct {
	read  sqlx.QueryerContext
	write sqlx.ExtContext
	obs   *observer
	again func(ctx context.Context, query string, f func() error) error // repeats f where that is safe
}

func (q queries) Get(ctx context.Context, name string, dest any, query string, args ...any) error {
	return q.obs.call(ctx, name, func(ctx context.Context) error {
		return q.again(ctx, query, func() error { return sqlx.GetContext(ctx, q.read, dest, query, args...) })
	})
}

func (q queries) Select(ctx context.Context, name string, dest any, query string, args ...any) error {
	return q.obs.call(ctx, name, func(ctx context.Context) error {
		return q.again(ctx, query, func() error { return sqlx.SelectContext(ctx, q.read, dest, query, args...) })
	})
}

func (q queries) Exec(ctx context.Context, name, query string, args ...any) (int64, error) {
	var affected int64
	err := q.obs.call(ctx, name, func(ctx context.Context) error {
		return q.again(ctx, query, func() error {
			result, err := q.write.ExecContext(ctx, query, args...)
			if err != nil {
				return err
			}
			affected, err = result.RowsAffected()
			return err
		})
	})

	return affected, err
}

func (q queries) Returning(ctx context.Context, name string, dest any, query string, args ...any) error {
	return q.obs.call(ctx, name, func(ctx context.Context) error {
		return q.again(ctx, query, func() error { return sqlx.GetContext(ctx, q.write, dest, query, args...) })
	})
}

// Tx is a transaction. It is for one goroutine.
type Tx struct{ queries }

// TxAgain is Tx for an f that may run more than once: when PostgreSQL took the
// transaction back for a deadlock or a serialization failure, it runs again, at most
// twice. f must set what it captures anew each time, never add to it, and have no
// effect outside the transaction.
func (db *DB) TxAgain(ctx context.Context, name string, f func(tx *Tx) error) error {
	return again(ctx, takenBack, func() error { return db.Tx(ctx, name, f) })
}

// Tx runs f in a transaction and commits it if f returns nil; otherwise, also
// when f panics, nothing of it remains. f's own error comes back as it is.
//
// On SQLite the transaction takes the one writer from its first moment (BEGIN
// IMMEDIATE), so f must use tx alone: db inside f would wait for itself.
func (db *DB) Tx(ctx context.Context, name string, f func(tx *Tx) error) error {
	var inner error
	err := db.obs.call(ctx, name, func(ctx context.Context) error {
		tx, err := db.writer.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}

		// After Commit this does nothing; it also runs when f panics.
		defer func() { _ = tx.Rollback() }()

		if inner = f(&Tx{queries{
			read:  tx,
			write: tx,
			obs:   db.obs,
			again: once,
		}}); inner != nil {
			return nil
		}

		return tx.Commit()
	})

	if inner != nil {
		return inner
	}

	return err
}
