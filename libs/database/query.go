package database

import (
	"context"

	"github.com/jmoiron/sqlx"
)

// Runner holds the methods that a [DB] and a [Tx] share. Every method takes a constant name
// such as "grants.redeem", which identifies the statement in the span, the metric and the
// error. Placeholders are $1, $2, … on both dialects. Struct fields are matched by their db
// tag, and a column without a field is an error.
//
// Errors are of type [*Error]: errors.Is finds [sql.ErrNoRows], and Unavailable distinguishes
// faults of the database from mistakes.
//
// A DB repeats a statement only if that can't do its work twice: if nothing was sent, if the
// server rolled it back (deadlock, serialization failure), or if it is a SELECT whose
// connection was lost. The caller has to decide about any other lost statement.
type Runner interface {
	// Get reads one row into a struct or a scalar. It returns [sql.ErrNoRows] if there is none.
	Get(ctx context.Context, name string, dest any, query string, args ...any) error
	// Select reads all rows into a slice. No rows isn't an error.
	Select(ctx context.Context, name string, dest any, query string, args ...any) error
	// Exec runs a statement that writes, and returns how many rows it affected.
	Exec(ctx context.Context, name, query string, args ...any) (affected int64, err error)
	// Returning runs one statement that writes and returns one row, such as UPDATE … RETURNING.
	// It returns [sql.ErrNoRows] if no row was affected.
	Returning(ctx context.Context, name string, dest any, query string, args ...any) error
}

// queries implements Runner over a pool or a transaction.
type queries struct {
	read  sqlx.QueryerContext
	write sqlx.ExtContext
	obs   *observer
	again func(ctx context.Context, query string, f func() error) error // repeats f if that is safe
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

// TxAgain is Tx for an f that may run more than once: if PostgreSQL rolled the transaction back
// because of a deadlock or a serialization failure, f runs again, at most twice. f must set the
// variables it captures afresh each time, never add to them, and have no effect outside the
// transaction.
func (db *DB) TxAgain(ctx context.Context, name string, f func(tx *Tx) error) error {
	return again(ctx, takenBack, func() error { return db.Tx(ctx, name, f) })
}

// Tx runs f in a transaction and commits it if f returns nil. Otherwise, or if f panics, the
// transaction is rolled back. f's own error is returned unchanged.
//
// On SQLite the transaction takes the one writer from its start (BEGIN IMMEDIATE), so f must
// use only tx; using the DB inside f would deadlock.
func (db *DB) Tx(ctx context.Context, name string, f func(tx *Tx) error) error {
	var inner error
	err := db.obs.call(ctx, name, func(ctx context.Context) error {
		tx, err := db.writer.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}

		// After Commit this does nothing; it also runs if f panics.
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
