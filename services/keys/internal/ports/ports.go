// Package ports is what the keys service needs from elsewhere: the schedule in
// the database. What makes the private keys is signing.Maker.
package ports

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Schedule is the table of signing keys; libs/signing/sqlstore satisfies it.
type Schedule interface {
	signing.Schedule
	// Insert adds a key. signing.ErrExists when the algorithm has that generation
	// already: of several replicas that add it at once, exactly one succeeds. After
	// any other error the key may have been added or not.
	Insert(ctx context.Context, key signing.Key) error
	// SetRetire says when a key is withdrawn. The first word stands; a later one
	// changes nothing and is no error.
	SetRetire(ctx context.Context, kid string, at time.Time) error
	// Wanted lists the algorithms that applications ask for beside the platform's
	// own.
	Wanted(ctx context.Context) ([]signing.Algorithm, error)
}
