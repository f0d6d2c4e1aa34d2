package database_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
)

// openExample opens a SQLite file in a folder of its own and makes a table of fruits.
func openExample(ctx context.Context) (db *database.DB, remove func()) {
	dir, err := os.MkdirTemp("", "database")
	if err != nil {
		panic(err)
	}

	db, err = sqlite.Open(ctx, filepath.Join(dir, "fruits.db"), database.Options{})
	if err != nil {
		panic(err)
	}

	_, err = db.Exec(ctx, "fruits.create", `CREATE TABLE fruits (name text PRIMARY KEY, pieces integer NOT NULL)`)
	if err != nil {
		panic(err)
	}

	return db, func() {
		_ = db.Close()
		_ = os.RemoveAll(dir)
	}
}

// Every statement has a name, which traces, metrics and errors show in place of its text.
func ExampleDB() {
	ctx := context.Background()
	db, remove := openExample(ctx)
	defer remove()

	_, err := db.Exec(ctx, "fruits.insert", `INSERT INTO fruits (name, pieces) VALUES ($1, $2), ($3, $4)`,
		"apple", 3, "pear", 2)
	if err != nil {
		panic(err)
	}

	var fruits []struct {
		Name   string `db:"name"`
		Pieces int    `db:"pieces"`
	}

	err = db.Select(ctx, "fruits.all", &fruits, `SELECT name, pieces FROM fruits ORDER BY name`)
	fmt.Println(fruits, err)

	// Output: [{apple 3} {pear 2}] <nil>
}

// The database here is a SQLite file. Open connects to PostgreSQL, and the rest is the same.
func ExampleMigrate() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "database")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	db, err := sqlite.Open(ctx, filepath.Join(dir, "platform.db"), database.Options{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()

	fmt.Println("usable before:", db.CheckSchema(ctx) == nil)

	from, _, err := database.Migrate(ctx, db, nil)
	if err != nil {
		panic(err)
	}

	fmt.Println("migrated from", from)
	fmt.Println("usable after:", db.CheckSchema(ctx) == nil)

	// Output:
	// usable before: false
	// migrated from 0
	// usable after: true
}

// Nothing remains of a transaction whose function fails.
func ExampleDB_Tx() {
	ctx := context.Background()
	db, remove := openExample(ctx)
	defer remove()

	err := db.Tx(ctx, "fruits.buy", func(tx *database.Tx) error {
		if _, err := tx.Exec(ctx, "fruits.insert", `INSERT INTO fruits VALUES ($1, $2)`, "apple", 3); err != nil {
			return err
		}
		return errors.New("the shop is closed")
	})
	fmt.Println(err)

	var n int
	err = db.Get(ctx, "fruits.count", &n, `SELECT count(*) FROM fruits`)
	fmt.Println(n, err)

	// Output:
	// the shop is closed
	// 0 <nil>
}

// The kind of an error is the same on both databases.
func ExampleError() {
	ctx := context.Background()
	db, remove := openExample(ctx)
	defer remove()

	for range 2 {
		_, err := db.Exec(ctx, "fruits.insert", `INSERT INTO fruits VALUES ($1, $2)`, "apple", 3)
		if failure, ok := errors.AsType[*database.Error](err); ok {
			fmt.Println(failure.Name, failure.Kind == database.KindConflict, failure.Unavailable())
		}
	}

	// Output: fruits.insert true false
}

func ExampleIn() {
	condition, args := database.In(2, []string{"apple", "pear"})

	fmt.Println("UPDATE fruits SET pieces = $1 WHERE name " + condition)
	fmt.Println(args...)

	// Output:
	// UPDATE fruits SET pieces = $1 WHERE name IN ($2, $3)
	// apple pear
}
