package manifest

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

// hashSlots returns how many passwords are hashed at once. Each takes 19 MiB.
func hashSlots() int { return min(runtime.GOMAXPROCS(0), 2) }

// verdict says what happens to a person's password.
type verdict struct {
	old      string // the stored hash that the verdict is about; empty: none
	hash     string // the hash to store
	adopt    bool   // the password matches the file already: record that as if apply had set it
	conflict string // why the password stays, although the file says otherwise
}

// verdicts judges the passwords of some people, several at once. Hashing is slow on
// purpose, so this runs outside any transaction.
func (a *applier) verdicts(ctx context.Context, some []*entry, marks sqlstore.Marks) error {
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.SetLimit(hashSlots())

	for _, e := range some {
		e.verdict = verdict{old: e.old.PasswordHash, hash: e.old.PasswordHash}
		if e.Password == "" && e.PasswordHash == "" {
			continue
		}

		tasks.Go(func() (err error) {
			e.verdict, err = a.verdict(ctx, e, marks)
			return err
		})
	}

	return tasks.Wait()
}

// verdict decides between the file's password and the stored one. A stored password that
// matches the file stays, and counts as set by apply. The file's password replaces one that
// apply set before. If an operator's command set it, it stays. Otherwise the person changed
// it or a sign-in rehashed it, and it stays unless the file has changed since.
func (a *applier) verdict(ctx context.Context, e *entry, marks sqlstore.Marks) (verdict, error) {
	stored := e.old.PasswordHash
	v := verdict{old: stored, hash: stored}
	applied, known := marks.Of(e.old.ID, sqlstore.FieldPassword, sqlstore.ByApply)
	commanded, _ := marks.Of(e.old.ID, sqlstore.FieldPassword, sqlstore.ByOperator)

	same, err := a.says(ctx, e.User, stored)
	switch {
	case err != nil:
		return v, err
	case same:
		v.adopt = applied != stored
		return v, nil
	case stored == "", a.opts.Overrule, password.Validate(stored) != nil, applied == stored:
		return a.replace(ctx, e.User, v)
	case commanded == stored:
		v.conflict = "a command has set it since the last apply"
		return v, nil
	case !known:
		v.conflict = "it was set by something other than apply"
		return v, nil
	}

	unchanged, err := a.says(ctx, e.User, applied)
	if err != nil || unchanged {
		return v, err
	}

	return a.replace(ctx, e.User, v)
}

// says reports whether hash is the hash of the file's password, or the hash in the file.
func (a *applier) says(ctx context.Context, u User, hash string) (bool, error) {
	if u.PasswordHash != "" {
		return u.PasswordHash == hash, nil
	}
	if hash == "" {
		return false, nil
	}

	same, err := a.hasher.Verify(ctx, hash, u.Password)
	if errors.Is(err, password.ErrFormat) {
		return false, nil
	}

	return same, err
}

// unhashed stands for a hash that a dry run doesn't need to compute.
const unhashed = "to be hashed"

func (a *applier) replace(ctx context.Context, u User, v verdict) (_ verdict, err error) {
	switch {
	case u.PasswordHash != "":
		v.hash = u.PasswordHash
	case a.opts.DryRun:
		v.hash = unhashed
	default:
		v.hash, err = a.hasher.Hash(ctx, u.Password)
	}
	return v, err
}
