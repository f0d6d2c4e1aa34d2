package localkeys

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// maxFile bounds how much of a key file is read, in bytes; an RSA-2048 key has 1,700.
const maxFile = 16 << 10

const pemType = "PRIVATE KEY" // PKCS#8 (RFC 7468 10)

// newRef returns a file name that no other process chooses.
func newRef(alg signing.Algorithm) string {
	return strings.ToLower(string(alg) + "-" + rand.Text() + ".pem")
}

const (
	unsettled       = ".new" // suffix of a file until the schedule has its key
	temporarySuffix = ".tmp" // additional suffix while it is being written
)

// write creates the file under another name, syncs it and renames it.
func (s *Store) write(ref string, signer crypto.Signer) (err error) {
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return fmt.Errorf("local signing keys: encode: %w", err)
	}

	temporary := "." + ref + temporarySuffix
	defer func() {
		if err != nil {
			_ = s.root.Remove(temporary)
			err = fmt.Errorf("local signing keys: write: %w", err)
		}
	}()

	file, err := s.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}

	err = pem.Encode(file, &pem.Block{Type: pemType, Bytes: der})
	if err == nil {
		err = file.Sync()
	}

	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}

	if err = s.root.Rename(temporary, ref+unsettled); err != nil {
		return err
	}

	return s.syncFolder()
}

// syncFolder makes the rename durable.
func (s *Store) syncFolder() error {
	folder, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// read loads a file written by this or another process.
func (s *Store) read(ref string) (crypto.Signer, error) {
	if !refForm.MatchString(ref) {
		return nil, fmt.Errorf("%w: no local key has such a name", signing.ErrKeyMissing)
	}

	file, err := s.open(ref)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: no file %s", signing.ErrKeyMissing, filepath.Join(s.dir, ref))
	}
	if err != nil {
		return nil, fmt.Errorf("local signing keys: open: %w", err)
	}

	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("local signing keys: open: %w", err)
	}

	if err := private(filepath.Join(s.dir, ref), info); err != nil {
		return nil, err
	}

	content, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return nil, fmt.Errorf("local signing keys: read: %w", err)
	}

	return decode(filepath.Join(s.dir, ref), content)
}

// open opens a file under its lasting name, or under its initial one. The file may be renamed
// meanwhile, but only once.
func (s *Store) open(ref string) (file *os.File, err error) {
	for _, name := range []string{ref, ref + unsettled, ref} {
		if file, err = s.root.Open(name); !errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	return file, err
}

// decode never quotes the content, which is a private key.
func decode(path string, content []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(content)
	if block == nil || block.Type != pemType || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, fmt.Errorf("local signing keys: %s is not one PKCS#8 PEM block", path)
	}

	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("local signing keys: %s is not a PKCS#8 key", path)
	}

	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("local signing keys: %s does not hold a key that signs", path)
	}

	return signer, nil
}
