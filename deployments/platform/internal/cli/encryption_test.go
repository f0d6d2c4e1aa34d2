package cli

import (
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestTheEncryptionKeyIsMadeOnceAndKept(t *testing.T) {
	d := newDesk(t)
	path := filepath.Join(d.data, encryptionFile)
	require.Regexp(t, encryptionVariable+` +\*{3}\n`, d.done("up", "--print-config"))
	require.NoFileExists(t, path, "to print the configuration makes nothing")

	var kept []byte
	for range 2 {
		u := d.up("--listen", testkit.FreeAddr(t), "--admin-listen", testkit.FreeAddr(t))
		u.ready("is ready")
		require.Equal(t, exitDone, u.end(), u.err.String())
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(content)))
		require.NoError(t, err)
		require.Len(t, key, 32)

		if kept != nil {
			require.Equal(t, kept, content, "the same at the next start")
		}

		kept = content
	}

	require.NoError(t, os.Chmod(path, 0o640))
	require.Contains(t, d.failed("up"), path+" is readable by other users: run chmod 600 on it")
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.WriteFile(path, []byte("short"), 0o600))
	require.Contains(t, d.wrong("up"), "key 1 is not 32 bytes in base64")
}

func TestGivenEncryptionKeysLeaveTheFolderAlone(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	file := writeFile(t, key)
	for name, entry := range map[string]string{
		"by the variable": encryptionVariable + "=" + key,
		"by a file":       encryptionVariable + "_FILE=" + file,
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, entry)
			u := d.up("--listen", testkit.FreeAddr(t), "--admin-listen", testkit.FreeAddr(t))
			u.ready("is ready")
			require.Equal(t, exitDone, u.end(), u.err.String())
			require.NoFileExists(t, filepath.Join(d.data, encryptionFile))
		})
	}
}

func TestAnotherStartsKeyStays(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	a := &app{environ: []string{"PLATFORM_DATA_DIR=" + folder}}
	first, err := a.encryptionKeys(map[string]string{}, nil, rand.Reader)
	require.NoError(t, err)
	second, err := a.encryptionKeys(map[string]string{}, nil, rand.Reader)
	require.NoError(t, err)
	require.NotEqual(t, first.key, second.key)
	var ours, theirs config.Encryption
	require.NoError(t, first.keep(&ours))
	require.NoError(t, second.keep(&theirs))
	require.Equal(t, ours, theirs, "the second has the key of the first")
	content, err := os.ReadFile(first.path)
	require.NoError(t, err)
	require.Equal(t, first.key+"\n", string(content))

	a = &app{}
	require.Equal(t, "./platform-data", a.dataFolder(nil))
	_, err = a.encryptionKeys(map[string]string{}, map[string]string{"PLATFORM_DATA_DIR": t.TempDir()},
		iotest.ErrReader(os.ErrClosed))
	require.ErrorIs(t, err, os.ErrClosed)
}
