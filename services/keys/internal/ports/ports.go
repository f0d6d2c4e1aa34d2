// Package ports is what the keys service needs from elsewhere: the schedule in
// the database, and what applications and operators wish. What makes the private
// keys is signing.Maker.
package ports

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Schedule is the table of signing keys; libs/signing/sqlstore satisfies it.
type Schedule interface {
	signing.Schedule
	// Insert adds a key. signing.ErrExists when the algorithm has that generation
	// already: of several replicas that add it at once, exactly one succeeds. After
	// any other error the key may have been added or not.
	Insert(ctx context.Context, key signing.Key) error
	Times
}

// Times changes when a key signs and is withdrawn.
type Times interface {
	// SetRetire says when a key is withdrawn. The first word stands; a later one
	// changes nothing and is no error.
	SetRetire(ctx context.Context, kid string, at time.Time) error
	// BringForward lets a key sign from at on, if it would do so later only.
	BringForward(ctx context.Context, kid string, at time.Time) error
	// Delete removes a key's row; one that is not there is no error.
	Delete(ctx context.Context, kid string) error
}

// Wishes is what others want of the keys; libs/signing/sqlstore satisfies it.
type Wishes interface {
	// Wanted lists the algorithms that applications ask for beside the platform's
	// own.
	Wanted(ctx context.Context) ([]signing.Algorithm, error)
	// Orders lists what operators have asked for, carried out or not.
	Orders(ctx context.Context) ([]signing.Order, error)
	// RemoveOrder takes an order away that is carried out. One that is not there,
	// or has become another, is no error.
	RemoveOrder(ctx context.Context, order signing.Order) error
}

// Trail is the audit trail; libs/audit/sqlstore satisfies it.
type Trail interface {
	Record(ctx context.Context, e audit.Event) error
}
