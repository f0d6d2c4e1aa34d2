// Package ports defines the interfaces through which the keys service reaches everything
// outside it: the schedule in the database, and the wishes of applications and operators.
// Private keys are created by signing.Maker.
package ports

import (
	"context"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Schedule is the table of signing keys, implemented by libs/signing/sqlstore.
type Schedule interface {
	signing.Schedule
	// Insert adds a key. It returns signing.ErrExists if the algorithm already has that
	// generation. Of several replicas that insert it at once, exactly one succeeds. After any
	// other error the key may or may not have been added.
	Insert(ctx context.Context, key signing.Key) error
	Times
}

// Times changes when a key signs and when it is withdrawn.
type Times interface {
	// SetRetire sets when a key is withdrawn. The first call wins; later ones change nothing
	// and return no error.
	SetRetire(ctx context.Context, kid string, at time.Time) error
	// BringForward makes a key sign from at on, if it would otherwise start later.
	BringForward(ctx context.Context, kid string, at time.Time) error
	// Delete removes a key's row. It isn't an error if there is none.
	Delete(ctx context.Context, kid string) error
}

// Wishes reads what applications and operators ask for, implemented by
// libs/signing/sqlstore.
type Wishes interface {
	// Wanted lists the algorithms that applications ask for in addition to the platform's own.
	Wanted(ctx context.Context) ([]signing.Algorithm, error)
	// Orders lists what operators have asked for, whether carried out or not.
	Orders(ctx context.Context) ([]signing.Order, error)
	// RemoveOrder removes an order that was carried out. It isn't an error if the order is gone
	// or has been replaced by another.
	RemoveOrder(ctx context.Context, order signing.Order) error
}

// Trail is the audit trail, implemented by libs/audit/sqlstore.
type Trail interface {
	Record(ctx context.Context, e audit.Event) error
}
