package localkeys

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"regexp"
	"sync"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

var (
	_ signing.Backend = (*Store)(nil)
	_ signing.Maker   = (*Store)(nil)
)

// refForm is the only form of a ref: a file name generated here, which cannot point outside the
// folder.
var refForm = regexp.MustCompile(`^(?:logout-)?(rs256|ps256|es256|eddsa)-[a-z2-7]{26}\.pem$`)

// Store is a folder of private keys. It is safe for concurrent use.
type Store struct {
	dir  string
	root *os.Root
	keys sync.Map // ref → crypto.Signer
}

// Open opens the folder and creates it if needed. It refuses a folder that group or others can
// access.
func Open(dir string) (*Store, error) {
	if dir == "" {
		return nil, errors.New("local signing keys: no folder given")
	}

	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("local signing keys: make folder: %w", err)
	}

	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("local signing keys: open folder: %w", err)
	}

	info, err := root.Stat(".")
	if err == nil {
		err = private(dir, info)
	}

	if err != nil {
		_ = root.Close()
		return nil, err
	}

	return &Store{dir: dir, root: root}, nil
}

// Close closes the folder. The store must not be used afterwards.
func (s *Store) Close() error { return s.root.Close() }

// Sign signs with exactly the file that key.Ref names. It returns ErrKeyMissing if that file
// holds a different key from the one in the schedule.
func (s *Store) Sign(ctx context.Context, key signing.Key, input []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	signer, err := s.signer(key)
	if err != nil {
		return nil, err
	}
	return sign(signer, key.Algorithm, input)
}

// Create generates a key and writes its file atomically and durably: a reader sees all of it or
// nothing, even after a power failure.
func (s *Store) Create(ctx context.Context, alg signing.Algorithm) (string, crypto.PublicKey, error) {
	if err := ctx.Err(); err != nil {
		return "", nil, err
	}

	signer, err := generate(alg)
	if err != nil {
		return "", nil, err
	}

	ref := newRef(alg)
	if err := s.write(ref, signer); err != nil {
		return "", nil, err
	}

	s.keys.Store(ref, signer)
	return ref, signer.Public(), nil
}

// Delete removes the key's file.
func (s *Store) Delete(ctx context.Context, ref string) error {
	if err := ctx.Err(); err != nil {
		return err
	}

	if !refForm.MatchString(ref) {
		return nil
	}

	s.keys.Delete(ref)

	for _, name := range []string{ref, ref + unsettled} {
		if err := s.root.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("local signing keys: delete: %w", err)
		}
	}

	return nil
}

// signer returns the key from memory, after loading it from its file the first time.
func (s *Store) signer(key signing.Key) (crypto.Signer, error) {
	if signer, ok := s.keys.Load(key.Ref); ok {
		return signer.(crypto.Signer), nil //nolint:forcetypeassert // the map holds nothing else
	}

	signer, err := s.read(key.Ref)
	if err != nil {
		return nil, err
	}

	public, ok := signer.Public().(interface {
		Equal(other crypto.PublicKey) bool
	})
	if !ok || !key.Algorithm.Fits(signer.Public()) || (key.PublicKey != nil && !public.Equal(key.PublicKey)) {
		return nil, fmt.Errorf("%w: file %s holds another key than the schedule says", signing.ErrKeyMissing, key.Ref)
	}

	s.keys.Store(key.Ref, signer)
	return signer, nil
}

// private refuses files that group or others can access.
func private(name string, info os.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("local signing keys: %s has mode %04o, so other users can access it: run chmod go-rwx on it",
			name, mode)
	}
	return nil
}
