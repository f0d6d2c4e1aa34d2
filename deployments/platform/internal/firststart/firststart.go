// Package firststart creates the files that a platform's first start leaves in its data
// folder, such as its encryption key, even when several processes start at once.
package firststart

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Keep creates the file at path with content, readable only by its owner, and its folder,
// and returns content. If the file exists already, perhaps because another process started
// at the same time, Keep leaves it and returns what it holds. A reader sees either the
// whole file or none, even after a power cut.
func Keep(path string, content []byte) (kept []byte, err error) {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}

	temporary, err := write(folder, "."+filepath.Base(path)+".*", content)
	if err != nil {
		return nil, err
	}

	defer func() { err = errors.Join(err, os.Remove(temporary)) }()

	// Unlike a rename, a link doesn't replace an existing file.
	err = os.Link(temporary, path)
	if errors.Is(err, fs.ErrExist) {
		return os.ReadFile(path) //nolint:gosec // the operator names the folder
	}
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}

	return content, syncFolder(folder)
}

func write(folder, pattern string, content []byte) (name string, err error) {
	file, err := os.CreateTemp(folder, pattern) // mode 0600
	if err != nil {
		return "", err
	}

	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

// syncFolder makes a new name in a folder durable.
func syncFolder(folder string) error {
	dir, err := os.Open(folder) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
