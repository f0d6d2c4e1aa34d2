package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
)

// Actions on a key.
const (
	Ordered = "ordered" // the keys service has been asked to make it
	Revoked = "revoked"
)

// RotateKeys asks the keys service for the next key of an algorithm, or of each algorithm
// that has a key when none is named, and reports the orders. If a key is published already,
// that is the next one: RotateKeys orders nothing, or with now that the key signs at once.
// An operator can't make a key.
func (d Desk) RotateKeys(
	ctx context.Context, alg signing.Algorithm, now bool,
) (*manifest.Report, []signing.Order, error) {
	var orders []signing.Order
	report, err := d.do(ctx, func(w *work) error {
		orders = nil
		keys := keystore.NewOperator(w.Tx())
		schedule, err := keys.Keys(ctx)
		if err != nil {
			return err
		}

		for _, newest := range newestOf(schedule) {
			if alg != "" && newest.Algorithm != alg {
				continue
			}

			order := signing.Order{Algorithm: newest.Algorithm, Generation: newest.Generation + 1, Immediate: now}
			if next := waiting(schedule, newest.Algorithm, w.at); next != nil {
				order.Generation = next.Generation
			}

			orders = append(orders, order)

			if order.Done(schedule, w.at) {
				w.report.Unchanged++
				continue
			}

			if err := keys.Order(ctx, order, w.at); err != nil {
				return err
			}

			if err := w.ordered(ctx, order); err != nil {
				return err
			}
		}

		if len(orders) == 0 {
			return &NotFoundError{Kind: "signing key", Name: cmp.Or(string(alg), "of any algorithm")}
		}

		return nil
	})

	return report, orders, err
}

func (w *work) ordered(ctx context.Context, o signing.Order) error {
	generation := strconv.Itoa(o.Generation)
	w.report.Changes = append(w.report.Changes,
		manifest.Change{Action: Ordered, Kind: "signing key", Name: string(o.Algorithm) + " " + generation})
	return w.trail.Record(ctx, audit.Event{Kind: audit.KeyOrdered, Detail: map[string]string{
		"algorithm": string(o.Algorithm), "generation": generation, "immediate": strconv.FormatBool(o.Immediate),
	}})
}

// RevokeKey takes a key out of use for ever and reports it. If its algorithm is left
// without a key that signs, the keys service makes another. It returns *NotFoundError for
// an unknown kid.
func (d Desk) RevokeKey(ctx context.Context, kid string) (report *manifest.Report, key signing.Key, err error) {
	report, err = d.do(ctx, func(w *work) error {
		var revoked bool
		key, revoked, err = keystore.NewOperator(w.Tx()).Revoke(ctx, kid, w.at)
		switch {
		case errors.Is(err, keystore.ErrNotFound):
			return &NotFoundError{Kind: "signing key", Name: kid}
		case err != nil:
			return err
		case !revoked:
			w.report.Unchanged++
			return nil
		}

		w.report.Changes = append(w.report.Changes, manifest.Change{Action: Revoked, Kind: "signing key", Name: kid})
		return w.trail.Record(ctx,
			audit.Event{
				Kind:   audit.KeyRevoked,
				Detail: map[string]string{"kid": kid, "algorithm": string(key.Algorithm)},
			})
	})

	return report, key, err
}

// newestOf returns the latest generation of each algorithm, ordered by the algorithms'
// names.
func newestOf(schedule []signing.Key) []signing.Key {
	newest := map[signing.Algorithm]signing.Key{}
	for _, key := range schedule {
		if known, ok := newest[key.Algorithm]; !ok || known.Generation < key.Generation {
			newest[key.Algorithm] = key
		}
	}

	list := make([]signing.Key, 0, len(newest))
	for _, key := range newest {
		list = append(list, key)
	}

	slices.SortFunc(list, func(a, b signing.Key) int { return cmp.Compare(a.Algorithm, b.Algorithm) })
	return list
}

// waiting returns the key that is published and will sign later, if there is one.
func waiting(schedule []signing.Key, alg signing.Algorithm, now time.Time) *signing.Key {
	i := slices.IndexFunc(schedule,
		func(k signing.Key) bool { return k.Algorithm == alg && k.Verifies(now) && k.ActiveFrom.After(now) })
	if i < 0 {
		return nil
	}
	return &schedule[i]
}
