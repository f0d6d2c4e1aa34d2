package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/ports"
)

// Keeper makes keys and withdraws them, as the policy says. All fields are
// required. Any number of replicas may run one at the same time.
type Keeper struct {
	Schedule ports.Schedule
	Wishes   ports.Wishes
	Maker    signing.Maker
	Trail    ports.Trail
	Policy   domain.Policy
	Now      func() time.Time
	Logger   *slog.Logger

	tidied  map[signing.Algorithm]time.Time // when it was looked for what nothing refers to
	deleted map[string]bool                 // refs whose private halves are gone
}

// tidyEvery is how often the backend is asked for what nothing refers to.
const tidyEvery = 10 * time.Minute

// Ensure carries out what is due now: afterwards every algorithm of the policy,
// and every other that an application asks for, has a key that signs or will, what
// operators asked for is done, and every key that was replaced has its end. One
// algorithm that fails does not stop the others. It is for one goroutine.
func (k *Keeper) Ensure(ctx context.Context) error {
	wanted, err := k.Wishes.Wanted(ctx)
	orders, errOrders := k.Wishes.Orders(ctx)
	errs := []error{err, errOrders}
	algorithms := slices.Concat(k.Policy.Algorithms, wanted)
	for _, order := range orders {
		algorithms = append(algorithms, order.Algorithm)
	}

	slices.Sort(algorithms)

	for _, alg := range slices.Compact(algorithms) {
		if err := k.ensure(ctx, alg, orders); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", alg, err))
		}
	}

	return errors.Join(append(errs, k.clear(ctx, orders))...)
}

// ensure plans until nothing is left to do. Each round does at least one thing,
// or another replica did: a key is made, its predecessor gets its end, and that
// is all.
func (k *Keeper) ensure(ctx context.Context, alg signing.Algorithm, orders []signing.Order) error {
	const rounds = 4
	var untidy error // stops nothing: times can be set without the backend
	for range rounds {
		keys, err := k.Schedule.Keys(ctx)
		if err != nil {
			return errors.Join(untidy, err)
		}

		untidy = k.tidy(ctx, alg, keys)
		plan := k.Policy.Plan(alg, keys, orders, k.Now())
		if plan.Empty() {
			break
		}

		if err := k.carryOut(ctx, plan, keys); err != nil {
			return errors.Join(untidy, err)
		}
	}

	return untidy
}

func (k *Keeper) carryOut(ctx context.Context, plan domain.Plan, keys []signing.Key) error {
	for _, m := range plan.Retire {
		if err := k.Schedule.SetRetire(ctx, m.KID, m.At); err != nil {
			return err
		}
		k.Logger.InfoContext(ctx, "signing key will be withdrawn", slog.String("kid", m.KID),
			slog.Time("retire_at", m.At))
	}

	for _, m := range plan.BringForward {
		if err := k.Schedule.BringForward(ctx, m.KID, m.At); err != nil {
			return err
		}
		k.Logger.InfoContext(ctx, "signing key takes over ahead of its time", slog.String("kid", m.KID),
			slog.Time("active_from", m.At))
	}

	if plan.Create == nil {
		return nil
	}

	return k.create(ctx, *plan.Create, keys)
}

// tidy lets the backend forget what an attempt left behind that was cut off, of
// which somebody else may have been the one.
func (k *Keeper) tidy(ctx context.Context, alg signing.Algorithm, keys []signing.Key) error {
	now := k.Now()
	if since := now.Sub(k.tidied[alg]); since >= 0 && since < tidyEvery {
		return nil
	}

	if _, err := k.Maker.Reconcile(ctx, alg, keys); err != nil {
		return fmt.Errorf("look for keys that nothing refers to: %w", err)
	}

	if k.tidied == nil {
		k.tidied = map[signing.Algorithm]time.Time{}
	}

	k.tidied[alg] = now
	return nil
}

// create makes a private key first and its row then. A crash in between leaves a
// private key that nothing refers to, which the next start finds; the other order
// would leave a row that cannot sign.
func (k *Keeper) create(ctx context.Context, next domain.NewKey, keys []signing.Key) error {
	key, err := k.private(ctx, next.Algorithm, keys)
	if err != nil {
		return err
	}

	key.KID, key.Algorithm, key.Generation = signing.Thumbprint(key.PublicKey), next.Algorithm, next.Generation
	key.PublishedAt, key.ActiveFrom = next.PublishedAt, next.ActiveFrom

	switch err := k.Schedule.Insert(ctx, *key); {
	case errors.Is(err, signing.ErrExists):
		return k.discard(ctx, *key)
	case err != nil:
		return err // the row may be there all the same, so the key stays
	}

	delete(k.tidied, key.Algorithm) // the backend is told of the row in the next round
	k.Logger.InfoContext(ctx, "signing key made", slog.String("kid", key.KID),
		slog.String("algorithm", string(key.Algorithm)),
		slog.Int("generation", key.Generation), slog.Time("active_from", key.ActiveFrom))
	k.record(ctx, audit.KeyRotated, *key)
	return nil
}

// private is a key that an attempt left behind, or a new one.
func (k *Keeper) private(ctx context.Context, alg signing.Algorithm, keys []signing.Key) (*signing.Key, error) {
	left, err := k.Maker.Reconcile(ctx, alg, keys)
	if err != nil {
		return nil, fmt.Errorf("look for keys that nothing refers to: %w", err)
	}

	if left != nil {
		k.Logger.InfoContext(ctx, "signing key of an attempt that was cut off is used", slog.String("ref", left.Ref))
		return left, nil
	}

	ref, public, err := k.Maker.Create(ctx, alg)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}

	return &signing.Key{Ref: ref, PublicKey: public}, nil
}

// record tells the audit trail. That it cannot be written stops no rotation.
func (k *Keeper) record(ctx context.Context, kind audit.Kind, key signing.Key) {
	err := k.Trail.Record(ctx, audit.Event{Kind: kind, Detail: map[string]string{
		"kid": key.KID, "algorithm": string(key.Algorithm), "active_from": key.ActiveFrom.Format(time.RFC3339),
	}})
	if err != nil {
		k.Logger.WarnContext(ctx, "the audit trail could not be written",
			slog.String("kind", string(kind)), slog.Any("error", err))
	}
}

// discard deletes a key that came too late, unless its row is there: a driver
// may have sent the same INSERT twice.
func (k *Keeper) discard(ctx context.Context, key signing.Key) error {
	keys, err := k.Schedule.Keys(ctx)
	if err != nil {
		return err
	}

	if slices.ContainsFunc(keys, func(other signing.Key) bool { return other.KID == key.KID || other.Ref == key.Ref }) {
		return nil
	}

	if err := k.Maker.Delete(ctx, key.Ref); err != nil {
		// A private key that nothing refers to does no harm.
		k.Logger.WarnContext(ctx, "a superfluous signing key could not be deleted", slog.Any("error", err))
	}

	return nil
}

// clear removes what is over: orders that are carried out, the private halves of
// keys that sign no more, and the rows of those that verify nothing any more.
func (k *Keeper) clear(ctx context.Context, orders []signing.Order) error {
	keys, err := k.Schedule.Keys(ctx)
	if err != nil {
		return err
	}

	var errs []error
	for _, order := range orders {
		if order.Done(keys, k.Now()) {
			errs = append(errs, k.Wishes.RemoveOrder(ctx, order))
		}
	}

	for _, key := range k.Policy.Silent(keys, k.Now()) {
		errs = append(errs, k.silence(ctx, key))
	}

	for _, key := range k.Policy.Forgotten(keys, k.Now()) {
		if err := k.silence(ctx, key); err != nil {
			continue // said above; without its row nobody would know of it
		}
		errs = append(errs, k.Schedule.Delete(ctx, key.KID))
		k.Logger.InfoContext(ctx, "signing key forgotten", slog.String("kid", key.KID))
	}

	return errors.Join(errs...)
}

// silence deletes a private half, once in the life of this process.
func (k *Keeper) silence(ctx context.Context, key signing.Key) error {
	if k.deleted[key.Ref] {
		return nil
	}
	if err := k.Maker.Delete(ctx, key.Ref); err != nil {
		return fmt.Errorf("delete the private half of key %s: %w", key.KID, err)
	}
	if k.deleted == nil {
		k.deleted = map[string]bool{}
	}

	k.deleted[key.Ref] = true
	return nil
}
