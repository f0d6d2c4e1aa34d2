package firststart_test

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/firststart"
)

func TestOfManyStartsAllHaveTheFileOfOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "secret")
	kept := make([]string, 50)
	var wg sync.WaitGroup
	for i := range kept {
		wg.Go(func() {
			content, err := firststart.Keep(path, []byte(strconv.Itoa(i)))
			if err != nil {
				t.Error(err)
			}
			kept[i] = string(content)
		})
	}

	wg.Wait()

	content, err := os.ReadFile(path)
	require.NoError(t, err)

	for _, one := range kept {
		require.Equal(t, string(content), one)
	}

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing half-made stays")
}

func TestAFolderThatCannotBeMadeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := firststart.Keep(filepath.Join(file, "secret"), nil)
	require.Error(t, err)
}
