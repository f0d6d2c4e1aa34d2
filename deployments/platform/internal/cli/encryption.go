package cli

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/firststart"
	"github.com/platform-oauth/platform-oauth/libs/config"
)

// The variable of the encryption keys, and the file in the data folder in which `up` keeps
// them if the variable isn't set.
const (
	encryptionVariable = "PLATFORM_ENCRYPTION_KEYS"
	encryptionFile     = "encryption.keys"
)

// encryption says where the encryption keys come from.
type encryption struct {
	path string // file to write a new key to; empty: nothing to write
	key  string
}

// encryptionKeys adds keys to defaults if the operator set none: those in the file of an
// earlier start, or a new key, which keep then saves.
func (a *app) encryptionKeys(defaults, overrides map[string]string, random io.Reader) (encryption, error) {
	if a.setting(encryptionVariable, nil) != "" || a.setting(encryptionVariable+"_FILE", nil) != "" {
		return encryption{}, nil
	}

	path := filepath.Join(a.dataFolder(overrides), encryptionFile)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return encryption{}, fmt.Errorf("encryption keys: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return encryption{}, fmt.Errorf("encryption keys: %s is readable by other users: run chmod 600 on it", path)
	default:
		defaults[encryptionVariable+"_FILE"] = path
		return encryption{}, nil
	}

	var key config.EncryptionKey
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return encryption{}, fmt.Errorf("encryption keys: %w", err)
	}

	made := encryption{path: path, key: base64.StdEncoding.EncodeToString(key[:])}
	defaults[encryptionVariable] = made.key
	return made, nil
}

// keep saves a new key for the next start, and sets keys to what the file holds then. If
// several processes start at once, they all use the key of the first.
func (e encryption) keep(keys *config.Encryption) error {
	if e.path == "" {
		return nil
	}

	kept, err := firststart.Keep(e.path, []byte(e.key+"\n"))
	if err != nil {
		return fmt.Errorf("encryption keys: %w", err)
	}
	if keys.Keys, err = config.ParseEncryptionKeys(strings.TrimSpace(string(kept))); err != nil {
		return fmt.Errorf("encryption keys: %s: %w", e.path, err)
	}

	return nil
}

// dataFolder returns the data folder before the configuration is read.
func (a *app) dataFolder(overrides map[string]string) string {
	const variable = "PLATFORM_DATA_DIR"
	if folder := a.setting(variable, overrides); folder != "" {
		return folder
	}

	for _, v := range config.Table() {
		if v.Name == variable {
			return v.Default
		}
	}

	return ""
}
