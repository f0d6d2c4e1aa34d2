package demo

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
)

func TestCredentialsAreMadeOnceAndKeptFromOthers(t *testing.T) {
	dir := t.TempDir()
	made, err := LoadCredentials(dir, rand.Reader)
	require.NoError(t, err)
	require.Len(t, made.Password, 16)
	require.NotEqual(t, made.WebSecret, made.SecondSecret)
	again, err := LoadCredentials(dir, iotest.ErrReader(errors.New("not needed")))
	require.NoError(t, err)
	require.Equal(t, made, again)
	info, err := os.Stat(filepath.Join(dir, "demo.json"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

func TestDamagedCredentialsSayWhatToDo(t *testing.T) {
	for name, text := range map[string]string{
		"empty":               "",
		"cut off":             `{"password":`,
		"no object":           "[]",
		"a secret is missing": `{"password":"a","web_secret":"b","second_secret":"c"}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "demo.json")
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			_, err := LoadCredentials(filepath.Dir(path), rand.Reader)
			require.EqualError(t, err, "demo credentials: "+path+" is damaged: remove it, and new ones will be generated")
		})
	}

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := LoadCredentials(filepath.Join(file, "gone"), rand.Reader)
	require.ErrorContains(t, err, "demo credentials: ")
	_, err = LoadCredentials(t.TempDir(), iotest.ErrReader(errors.New("no randomness")))
	require.ErrorContains(t, err, "no randomness")
}

func TestTheDemoSetIsInOrder(t *testing.T) {
	credentials, err := LoadCredentials(t.TempDir(), rand.Reader)
	require.NoError(t, err)
	set := manifest.New("the demo set", Set("https://127.0.0.1:8080", credentials))
	require.NoError(t, set.Validate(manifest.Rules{}), "by the rules of a public platform")
}
