package localkeys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// abandoned is the age at which a file without a row is considered abandoned: the process that
// created it has far less time to write the row.
const abandoned = 2 * time.Minute

// Reconcile removes files left behind by an attempt that was killed before it wrote the row,
// and gives the files of keys in the schedule their lasting names. It never removes a file that
// has a lasting name, so a process pointed at another database does no harm. It never returns a
// key.
func (s *Store) Reconcile(ctx context.Context, alg signing.Algorithm, schedule []signing.Key) (*signing.Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	known := make(map[string]bool, len(schedule))
	for _, key := range schedule {
		known[key.Ref] = true
	}

	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("local signing keys: read the folder: %w", err)
	}

	var errs []error
	for _, entry := range entries {
		ref, ok := unsettledRef(entry.Name())
		if !ok || !strings.HasPrefix(ref, strings.ToLower(string(alg))+"-") {
			continue
		}

		if known[ref] && entry.Name() == ref+unsettled {
			errs = append(errs, s.root.Rename(entry.Name(), ref))
			continue
		}

		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
			s.keys.Delete(ref)
			errs = append(errs, s.root.Remove(entry.Name()))
		}
	}

	// Another process on this folder may be doing the same.
	for i, err := range errs {
		if errors.Is(err, os.ErrNotExist) {
			errs[i] = nil
		}
	}

	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("local signing keys: tidy up: %w", err)
	}

	return nil, nil
}

// unsettledRef returns the ref of a file that was written, perhaps only in part, but isn't
// settled yet.
func unsettledRef(name string) (ref string, ok bool) {
	ref, ok = strings.CutSuffix(name, unsettled)
	if !ok {
		ref, ok = strings.CutSuffix(strings.TrimPrefix(name, "."), temporarySuffix)
	}
	return ref, ok && refForm.MatchString(ref)
}
