package sqlstore

import (
	"context"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/limits"
)

// Forget removes all counts of a subject in the caller's transaction and returns how many there
// were. It also removes the given keys, because rows written by an older version don't name a
// subject.
func Forget(ctx context.Context, tx *database.Tx, subject limits.Key, keys ...limits.Key) (int64, error) {
	places, args := keyList(2, keys)
	if places == "" {
		places = "NULL"
	}

	return tx.Exec(ctx, "limits.forget", `DELETE FROM limits WHERE subject = $1 OR key IN (`+places+`)`,
		append([]any{[]byte(subject)}, args...)...)
}
