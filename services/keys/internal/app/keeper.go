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
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/ports"
)

// Keeper creates and withdraws keys according to the policy. All fields are required. Any
// number of replicas may run one concurrently.
type Keeper struct {
	Schedule ports.Schedule
	Store    *keystore.Store // of the same table: its times, and what applications and operators ask for
	Maker    signing.Maker
	Trail    audit.Trail
	Policy   domain.Policy
	Now      func() time.Time
	Logger   *slog.Logger

	tidied  map[signing.Algorithm]time.Time // when the backend was last checked for unreferenced keys
	deleted map[string]bool                 // refs whose private halves are deleted
}

// tidyEvery is how often the backend is checked for keys that no row refers to.
const tidyEvery = 10 * time.Minute

// Ensure carries out what is due now. Afterwards every algorithm of the policy, and every
// other that an application asks for, has a key that signs or will sign; what operators
// asked for is done; and every key that was replaced has a retirement time. An algorithm
// that fails doesn't stop the others. Ensure must not be called concurrently.
func (k *Keeper) Ensure(ctx context.Context) error {
	wanted, err := k.Store.Wanted(ctx)
	orders, errOrders := k.Store.Orders(ctx)
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

// ensure plans until there is nothing left to do. In each round this replica or another
// completes at least one step: a key is created, then its predecessor's retirement is set.
func (k *Keeper) ensure(ctx context.Context, alg signing.Algorithm, orders []signing.Order) error {
	const rounds = 4
	var untidy error // stops nothing, since times can be set without the backend
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
		if err := k.Store.SetRetire(ctx, m.KID, m.At); err != nil {
			return err
		}
		k.Logger.InfoContext(ctx, "signing key will be withdrawn", slog.String("kid", m.KID),
			slog.Time("retire_at", m.At))
	}

	for _, m := range plan.BringForward {
		if err := k.Store.BringForward(ctx, m.KID, m.At); err != nil {
			return err
		}
		k.Logger.InfoContext(ctx, "signing key takes over early", slog.String("kid", m.KID),
			slog.Time("active_from", m.At))
	}

	if plan.Create == nil {
		return nil
	}

	return k.create(ctx, *plan.Create, keys)
}

// tidy makes the backend delete what an interrupted attempt, possibly another replica's,
// left behind.
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

// create creates the private key first and then its row. A crash in between leaves a
// private key that no row refers to, which the next start finds. The reverse order would
// leave a row that can't sign.
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
		return err // the row may exist all the same, so the key stays
	}

	delete(k.tidied, key.Algorithm) // the next round tells the backend of the row
	k.Logger.InfoContext(ctx, "signing key created", slog.String("kid", key.KID),
		slog.String("algorithm", string(key.Algorithm)),
		slog.Int("generation", key.Generation), slog.Time("active_from", key.ActiveFrom))
	k.record(ctx, audit.KeyRotated, *key)
	return nil
}

// private returns a key that an earlier attempt left behind, or a new one.
func (k *Keeper) private(ctx context.Context, alg signing.Algorithm, keys []signing.Key) (*signing.Key, error) {
	left, err := k.Maker.Reconcile(ctx, alg, keys)
	if err != nil {
		return nil, fmt.Errorf("look for keys that nothing refers to: %w", err)
	}

	if left != nil {
		k.Logger.InfoContext(ctx, "using the signing key of an interrupted attempt", slog.String("ref", left.Ref))
		return left, nil
	}

	ref, public, err := k.Maker.Create(ctx, alg)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}

	return &signing.Key{Ref: ref, PublicKey: public}, nil
}

// record adds an event to the audit trail. A failure doesn't stop the rotation.
func (k *Keeper) record(ctx context.Context, kind audit.Kind, key signing.Key) {
	audit.RecordOrLog(ctx, k.Trail, k.Logger, audit.Event{Kind: kind, Detail: map[string]string{
		"kid": key.KID, "algorithm": string(key.Algorithm), "active_from": key.ActiveFrom.Format(time.RFC3339),
	}})
}

// discard deletes a key that came too late, unless its row exists: a driver may have sent
// the same INSERT twice.
func (k *Keeper) discard(ctx context.Context, key signing.Key) error {
	keys, err := k.Schedule.Keys(ctx)
	if err != nil {
		return err
	}

	if slices.ContainsFunc(keys, func(other signing.Key) bool { return other.KID == key.KID || other.Ref == key.Ref }) {
		return nil
	}

	if err := k.Maker.Delete(ctx, key.Ref); err != nil {
		// An unreferenced private key does no harm.
		k.Logger.WarnContext(ctx, "can't delete an unneeded signing key", slog.Any("error", err))
	}

	return nil
}

// clear removes what is no longer needed: orders that were carried out, the private halves
// of keys that no longer sign, and the rows of keys that no longer verify anything.
func (k *Keeper) clear(ctx context.Context, orders []signing.Order) error {
	keys, err := k.Schedule.Keys(ctx)
	if err != nil {
		return err
	}

	var errs []error
	for _, order := range orders {
		if order.Done(keys, k.Now()) {
			errs = append(errs, k.Store.RemoveOrder(ctx, order))
		}
	}

	for _, key := range k.Policy.Silent(keys, k.Now()) {
		errs = append(errs, k.silence(ctx, key))
	}

	for _, key := range k.Policy.Forgotten(keys, k.Now()) {
		if err := k.silence(ctx, key); err != nil {
			continue // reported above; without its row the key would be forgotten
		}
		errs = append(errs, k.Store.Delete(ctx, key.KID))
		k.Logger.InfoContext(ctx, "signing key deleted", slog.String("kid", key.KID))
	}

	return errors.Join(errs...)
}

// silence deletes a private half, once per process.
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
