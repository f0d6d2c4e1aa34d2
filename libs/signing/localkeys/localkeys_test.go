package localkeys_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
)

func open(t *testing.T, dir string) *localkeys.Store {
	t.Helper()
	store, err := localkeys.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func TestContract(t *testing.T) {
	store := open(t, filepath.Join(t.TempDir(), "keys"))
	signingtest.Run(t, func(*testing.T) signingtest.BackendAndMaker { return store })
}

func TestADeletedKeyIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	store := open(t, dir)
	key := signingtest.NewKey(t, store, signing.ES256, 1, time.Now())
	require.NoError(t, store.Delete(t.Context(), key.Ref))
	_, err := store.Sign(t.Context(), key, []byte("input"))
	require.ErrorIs(t, err, signing.ErrKeyMissing)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestFilesAreForTheOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "keys")
	store := open(t, dir)
	key := signingtest.NewKey(t, store, signing.ES256, 1, time.Now())
	_, err := store.Reconcile(t.Context(), signing.ES256, []signing.Key{key})
	require.NoError(t, err)

	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, key.Ref): 0o600} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file stays")
}

func TestAFolderOpenToOthersIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o750))
	_, err := localkeys.Open(dir)
	require.ErrorContains(t, err, "chmod go-rwx")
	_, err = localkeys.Open("")
	require.Error(t, err)
}

func TestAnotherProcessSignsWithTheSameFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	maker, other := open(t, dir), open(t, dir)
	key := signingtest.NewKey(t, maker, signing.ES256, 1, time.Now())
	signature, err := other.Sign(t.Context(), key, []byte("input"))
	require.NoError(t, err)
	require.NoError(t, signingtest.Check(key, []byte("input"), signature))
}

func TestAFileThatCannotBeTrustedIsNotUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	maker := open(t, dir)
	key := signingtest.NewKey(t, maker, signing.ES256, 1, time.Now())
	swapped := signingtest.NewKey(t, maker, signing.ES256, 2, time.Now())
	rsa := signingtest.NewKey(t, maker, signing.RS256, 1, time.Now())
	for _, alg := range []signing.Algorithm{signing.ES256, signing.RS256} {
		_, err := maker.Reconcile(t.Context(), alg, []signing.Key{key, swapped, rsa})
		require.NoError(t, err)
	}

	path := filepath.Join(dir, key.Ref)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	outside := filepath.Join(t.TempDir(), "outside.pem")
	require.NoError(t, os.WriteFile(outside, content, 0o600))
	copyOf := func(ref string) func(t *testing.T) {
		return func(t *testing.T) {
			other, err := os.ReadFile(filepath.Join(dir, ref))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, other, 0o600))
		}
	}

	write := func(text string) func(t *testing.T) {
		return func(t *testing.T) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	}

	for name, spoil := range map[string]func(t *testing.T){
		"readable by the group": func(t *testing.T) { require.NoError(t, os.Chmod(path, 0o640)) },
		"readable by all users": func(t *testing.T) { require.NoError(t, os.Chmod(path, 0o604)) },
		"another key":           copyOf(swapped.Ref),
		"a key of another kind": copyOf(rsa.Ref),
		"empty":                 write(""),
		"no PEM":                write("hello"),
		"another kind of PEM":   write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"PEM without a key":     write("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
		"two keys":              write(string(content) + string(content)),
		"half written":          write(string(content[:len(content)/2])),
		"a link out of the door": func(t *testing.T) {
			require.NoError(t,
				os.Remove(path))
			require.NoError(t, os.Symlink(outside, path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(path)
			require.NoError(t, os.WriteFile(path, content, 0o600))
			spoil(t)
			_, err := open(t, dir).Sign(t.Context(), key, []byte("input"))
			require.Error(t, err)
			require.NotContains(t, err.Error(), string(content[30:60]), "no key in an error")
		})
	}

	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, content, 0o600))
	_, err = open(t, dir).Sign(t.Context(), key, []byte("input"))
	require.NoError(t, err)
}

func TestWhatAKilledAttemptLeftBehindIsRemovedWhenItIsOldEnough(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	store, starting := open(t, dir), open(t, dir)
	names := func() (list []string) {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, entry := range entries {
			list = append(list, entry.Name())
		}
		return list
	}

	reconcile := func(schedule ...signing.Key) {
		left, err := starting.Reconcile(t.Context(), signing.ES256, schedule)
		require.NoError(t, err)
		require.Nil(t, left, "files can be forgotten one by one, so none is given back")
	}

	known := signingtest.NewKey(t, store, signing.ES256, 1, time.Now())
	orphan := signingtest.NewKey(t, store, signing.ES256, 2, time.Now())
	other := signingtest.NewKey(t, store, signing.EdDSA, 1, time.Now())
	half := "." + orphan.Ref + ".tmp"
	require.NoError(t, os.WriteFile(filepath.Join(dir, half), []byte("-----BEGIN"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "README.new"), nil, 0o600))

	reconcile(known)
	require.ElementsMatch(t, []string{known.Ref, orphan.Ref + ".new", other.Ref + ".new", half, "README.new"}, names(),
		"another replica may be about to write the row")

	long := time.Now().Add(-time.Hour)
	for _, name := range names() {
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), long, long))
	}

	reconcile(known)
	require.ElementsMatch(t, []string{known.Ref, other.Ref + ".new", "README.new"}, names())
	reconcile()
	require.Contains(t, names(), known.Ref, "what a schedule once had stays, whatever this one says")
	_, err := open(t, dir).Sign(t.Context(), known, []byte("input"))
	require.NoError(t, err)
}
