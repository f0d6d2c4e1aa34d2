package database_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

type note struct {
	ID     string                  `db:"id"`
	Text   string                  `db:"text"`
	Labels database.JSON[[]string] `db:"labels"`
	cached int                     // without a column
}

type datedNote struct {
	note
	Created int64 `db:"created"`
	Updated int64 `db:"updated"`
}

func TestStatementsNameTheColumnsOfTheRow(t *testing.T) {
	columns := database.ColumnsOf[datedNote]()
	require.Equal(t, "id, text, labels, created, updated", columns.List())
	require.Equal(t, "$1, $2, $3, $4, $5", columns.Placeholders())
	require.Equal(t, "text = excluded.text, labels = excluded.labels, updated = excluded.updated",
		columns.Excluded("id", "created"))

	row := datedNote{note: note{ID: "a", Text: "b", cached: 1}, Updated: 2}
	require.Equal(t, []any{"a", "b", database.JSON[[]string]{}, int64(0), int64(2)}, columns.Values(&row))
}

func TestTwoFieldsCannotHaveOneColumn(t *testing.T) {
	type twice struct {
		note
		Name string `db:"text"`
	}
	require.PanicsWithValue(t, "database: two fields have the column text",
		func() { database.ColumnsOf[twice]() })
}

func TestARowIsSavedAndReadByItsColumns(t *testing.T) {
	columns := database.ColumnsOf[datedNote]()
	save := `INSERT INTO notes (` + columns.List() + `) VALUES (` + columns.Placeholders() + `)
ON CONFLICT (id) DO UPDATE SET ` + columns.Excluded("id", "created")

	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		_, err := db.Exec(t.Context(), "notes.make",
			`CREATE TABLE notes (id text PRIMARY KEY, text text, labels text, created bigint, updated bigint)`)
		require.NoError(t, err)

		row := datedNote{
			note:    note{ID: "a", Text: "b", Labels: database.JSON[[]string]{V: []string{"x"}}},
			Created: 1,
			Updated: 1,
		}
		_, err = db.Exec(t.Context(), "notes.save", save, columns.Values(&row)...)
		require.NoError(t, err)

		row.Text, row.Created, row.Updated = "c", 2, 2
		_, err = db.Exec(t.Context(), "notes.save", save, columns.Values(&row)...)
		require.NoError(t, err)

		var got datedNote
		require.NoError(t, db.Get(t.Context(), "notes.find", &got, `SELECT `+columns.List()+` FROM notes`))
		row.Created = 1
		require.Equal(t, row, got)
	})
}
