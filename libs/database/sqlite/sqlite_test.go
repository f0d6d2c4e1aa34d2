package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
)

func open(t *testing.T, path string) *database.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, database.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestNobodyElseMayReadTheFiles(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "data")
	db := open(t, filepath.Join(folder, "platform.db"))
	_, _, err := database.Migrate(t.Context(), db, nil)
	require.NoError(t, err)

	info, err := os.Stat(folder)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 3, "the database, its log and its shared memory")

	for _, file := range files {
		info, err := file.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file.Name())
	}
}

func TestAnyPathIsAFileOfThatName(t *testing.T) {
	for _, name := range []string{
		"a b.db", "what?.db", "a#b.db", "50%.db", "%41.db", "ü.db", "a&_txlock=x.db", "memory:.db", "a+b.db",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			_, err := open(t, path).Exec(t.Context(), "test.create", `CREATE TABLE t (id text)`)
			require.NoError(t, err)
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Positive(t, info.Size()+size(t, path+"-wal"))
		})
	}
}

func TestARelativePathIsAFileInTheWorkingFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := open(t, "platform.db").Exec(t.Context(), "test.create", `CREATE TABLE t (id text)`)
	require.NoError(t, err)
	require.FileExists(t, "platform.db")
}

func TestConnectionsAreSetUp(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "platform.db"))
	for pragma, want := range map[string]string{
		"journal_mode": "wal",
		"foreign_keys": "1",
		"busy_timeout": "5000",
		"synchronous":  "2",
	} {
		var got string
		require.NoError(t, db.Get(t.Context(), "test.pragma", &got, `PRAGMA `+pragma))
		require.Equal(t, want, got, "reader: %s", pragma)
		require.NoError(t, db.Returning(t.Context(), "test.pragma", &got, `PRAGMA `+pragma))
		require.Equal(t, want, got, "writer: %s", pragma)
	}
}

func TestWhatIsCommittedIsThereAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "platform.db")
	first, err := sqlite.Open(t.Context(), path, database.Options{})
	require.NoError(t, err)
	_, err = first.Exec(t.Context(), "test.create", `CREATE TABLE t (id text)`)
	require.NoError(t, err)
	_, err = first.Exec(t.Context(), "test.insert", `INSERT INTO t VALUES ($1)`, "a")
	require.NoError(t, err)
	require.NoError(t, first.Close())

	var id string
	require.NoError(t, open(t, path).Get(t.Context(), "test.read", &id, `SELECT id FROM t`))
	require.Equal(t, "a", id)
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if os.IsNotExist(err) {
		return 0
	}

	require.NoError(t, err)
	return info.Size()
}
