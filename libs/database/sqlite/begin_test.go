package sqlite_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
)

const openVariable = "TEST_SQLITE_OPEN"

// SQLite doesn't wait where two processes give a new file its write-ahead log at once.
func TestProcessesThatOpenANewFileAtOnceAllSucceed(t *testing.T) {
	if path := os.Getenv(openVariable); path != "" {
		db, err := sqlite.Open(t.Context(), path, database.Options{})
		require.NoError(t, err)
		require.NoError(t, db.Close())
		return
	}

	for range 20 {
		path := filepath.Join(t.TempDir(), "new.db")
		var opening sync.WaitGroup
		for range 4 {
			opening.Go(func() {
				process := exec.CommandContext(t.Context(), os.Args[0],
					"-test.run", "^TestProcessesThatOpenANewFileAtOnceAllSucceed$")
				process.Env = append(os.Environ(), openVariable+"="+path)
				if said, err := process.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, said)
				}
			})
		}
		opening.Wait()
	}
}
