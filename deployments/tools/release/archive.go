package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// archive packs the folder as a tar.gz whose single top folder has the folder's name.
func archive(out, folder string, at time.Time) error {
	var packed bytes.Buffer
	compress, pack := writers(&packed)

	// WalkDir goes in lexical order.
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}

		name, err := filepath.Rel(filepath.Dir(folder), path)
		if err != nil {
			return err
		}

		return add(pack, path, filepath.ToSlash(name), at)
	})

	if err := errors.Join(err, pack.Close(), compress.Close()); err != nil {
		return fmt.Errorf("pack %s: %w", folder, err)
	}

	return os.WriteFile(out, packed.Bytes(), 0o644)
}

func add(pack *tar.Writer, path, name string, at time.Time) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}

	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}

	return write(pack, name, info.Mode(), content, at)
}

// repack writes the file's entries again, in their order, without what says who packed
// them and when. Helm puts the present time into a chart that it packages.
func repack(file string, at time.Time) error {
	packed, err := os.ReadFile(file)
	if err != nil {
		return err
	}

	content, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}

	var again bytes.Buffer
	compress, pack := writers(&again)

	for entries := tar.NewReader(content); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}

		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}

		content, err := io.ReadAll(entries)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}

		if err := write(pack, entry.Name, entry.FileInfo().Mode(), content, at); err != nil {
			return err
		}
	}

	if err := errors.Join(pack.Close(), compress.Close()); err != nil {
		return err
	}

	return os.WriteFile(file, again.Bytes(), 0o644)
}

func writers(out io.Writer) (*gzip.Writer, *tar.Writer) {
	compress := gzip.NewWriter(out)

	return compress, tar.NewWriter(compress)
}

// write adds an entry that says nothing about the machine. Of the mode only the
// executable bit counts, since the umask decides about the others.
func write(pack *tar.Writer, name string, mode fs.FileMode, content []byte, at time.Time) error {
	permissions := int64(0o644)
	if mode&0o100 != 0 {
		permissions = 0o755
	}

	err := pack.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg,
		Name:     name,
		Mode:     permissions,
		Size:     int64(len(content)),
		ModTime:  at,
		Format:   tar.FormatUSTAR,
	})
	if err != nil {
		return err
	}

	_, err = pack.Write(content)

	return err
}
