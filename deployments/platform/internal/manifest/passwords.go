package manifest

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

// hashPasswords gives a hash of each password that the file says, by e-mail
// address: the one that is stored where it is of that password, so that applying a
// file again changes nothing, else a new one. It is slow on purpose, as many at
// once as there are processors.
func hashPasswords(ctx context.Context, r *sqlstore.Reader, users []User, random io.Reader) (map[string]string, error) {
	said := map[string]string{}
	for _, u := range users {
		if u.Password != "" {
			said[strings.ToLower(u.Email)] = u.Password
		}
	}
	if len(said) == 0 {
		return nil, nil
	}
	have, err := r.Users(ctx)
	if err != nil {
		return nil, err
	}
	stored := map[string]string{}
	for _, u := range have {
		stored[u.Email] = u.PasswordHash
	}
	hasher, err := password.New(password.Options{Random: random})
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	hashes := map[string]string{}
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.SetLimit(runtime.GOMAXPROCS(0))
	for email, secret := range said {
		tasks.Go(func() error {
			hash, err := hashOf(ctx, hasher, stored[email], secret)
			mu.Lock()
			defer mu.Unlock()
			hashes[email] = hash
			return err
		})
	}
	return hashes, tasks.Wait()
}

// hashOf is old if it is of the password, else a new hash. One that nobody can
// use is replaced.
func hashOf(ctx context.Context, hasher *password.Hasher, old, secret string) (string, error) {
	if old != "" {
		same, err := hasher.Verify(ctx, old, secret)
		if same || err != nil && !errors.Is(err, password.ErrFormat) {
			return old, err
		}
	}
	return hasher.Hash(ctx, secret)
}
