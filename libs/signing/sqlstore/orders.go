package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Orders returns the operators' orders, except those for algorithms that this version doesn't
// know.
func (s *Store) Orders(ctx context.Context) ([]signing.Order, error) {
	var rows []struct {
		Algorithm  signing.Algorithm `db:"algorithm"`
		Generation int               `db:"generation"`
		Immediate  bool              `db:"immediate"`
	}
	if err := s.db.Select(ctx, "key_orders.list", &rows,
		`SELECT algorithm, generation, immediate FROM key_orders ORDER BY algorithm, generation`); err != nil {
		return nil, err
	}

	orders := make([]signing.Order, 0, len(rows))
	for _, r := range rows {
		if r.Algorithm.Known() {
			orders = append(orders, signing.Order(r))
		}
	}

	return orders, nil
}

// RemoveOrder removes an order that has been carried out. If the order has become immediate in
// the meantime, it stays.
func (s *Store) RemoveOrder(ctx context.Context, o signing.Order) error {
	_, err := s.db.Exec(ctx, "key_orders.remove",
		`DELETE FROM key_orders WHERE algorithm = $1 AND generation = $2 AND immediate = $3`,
		string(o.Algorithm), o.Generation, o.Immediate)
	return err
}

// Operator offers what an operator may do with the keys in a transaction: list them, order the
// next one from the keys service, and revoke one.
type Operator struct{ tx *database.Tx }

// NewOperator returns the store.
func NewOperator(tx *database.Tx) *Operator { return &Operator{tx} }

// Keys is Store.Keys.
func (o *Operator) Keys(ctx context.Context) ([]signing.Key, error) { return keys(ctx, o.tx) }

// Order requests a key. Repeating an order changes nothing, except that it may make the order
// immediate.
func (o *Operator) Order(ctx context.Context, order signing.Order, at time.Time) error {
	_, err := o.tx.Exec(ctx, "key_orders.insert", `
		INSERT INTO key_orders (algorithm, generation, immediate, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (algorithm, generation) DO UPDATE SET immediate = key_orders.immediate OR excluded.immediate`,
		string(order.Algorithm), order.Generation, order.Immediate, database.At(at))
	return err
}

// Revoke takes a key out of use for good and returns it. revoked is false if the key had
// already been revoked. It returns ErrNotFound if there is no such key.
func (o *Operator) Revoke(ctx context.Context, kid string, at time.Time) (key signing.Key, revoked bool, err error) {
	n, err := o.tx.Exec(ctx, "signing.revoke",
		`UPDATE signing_keys SET revoked_at = $2 WHERE kid = $1 AND revoked_at IS NULL`, kid, database.At(at))
	if err != nil {
		return signing.Key{}, false, err
	}

	schedule, err := o.Keys(ctx)
	if err != nil {
		return signing.Key{}, false, err
	}

	i := slices.IndexFunc(schedule, func(k signing.Key) bool { return k.KID == kid })
	if i < 0 {
		return signing.Key{}, false, fmt.Errorf("%w: %s", ErrNotFound, kid)
	}

	return schedule[i], n > 0, nil
}
