package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/ports"
)

// Keeper makes keys and withdraws them, as the policy says. All fields are
// required. Any number of replicas may run one at the same time.
type Keeper struct {
	Schedule ports.Schedule
	Maker    signing.Maker
	Policy   domain.Policy
	Now      func() time.Time
	Logger   *slog.Logger
}

// Ensure carries out what is due now: afterwards every algorithm of the policy,
// and every other that an application asks for, has a key that signs, and every
// key that was replaced has its end. One algorithm that fails does not stop the
// others.
func (k *Keeper) Ensure(ctx context.Context) error {
	wanted, err := k.Schedule.Wanted(ctx)
	errs := []error{err}
	algorithms := slices.Concat(k.Policy.Algorithms, wanted)
	slices.Sort(algorithms)
	for _, alg := range slices.Compact(algorithms) {
		if err := k.ensure(ctx, alg); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", alg, err))
		}
	}
	return errors.Join(errs...)
}

// ensure plans until nothing is left to do. Each round does at least one thing,
// or another replica did: a key is made, its predecessor gets its end, and that
// is all.
func (k *Keeper) ensure(ctx context.Context, alg signing.Algorithm) error {
	const rounds = 4
	for range rounds {
		keys, err := k.Schedule.Keys(ctx)
		if err != nil {
			return err
		}
		plan := k.Policy.Plan(alg, keys, k.Now())
		if plan.Create == nil && len(plan.Retire) == 0 {
			return nil
		}
		for _, r := range plan.Retire {
			if err := k.Schedule.SetRetire(ctx, r.KID, r.At); err != nil {
				return err
			}
			k.Logger.InfoContext(ctx, "signing key will be withdrawn", slog.String("kid", r.KID), slog.Time("retire_at", r.At))
		}
		if plan.Create != nil {
			if err := k.create(ctx, *plan.Create); err != nil {
				return err
			}
		}
	}
	return nil
}

// create makes a private key first and its row then. A crash in between leaves a
// private key that nothing refers to; the other order would leave a row that
// cannot sign.
func (k *Keeper) create(ctx context.Context, next domain.NewKey) error {
	ref, public, err := k.Maker.Create(ctx, next.Algorithm)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	key := signing.Key{
		KID: signing.Thumbprint(public), Algorithm: next.Algorithm, Generation: next.Generation, Ref: ref, PublicKey: public,
		PublishedAt: next.PublishedAt, ActiveFrom: next.ActiveFrom,
	}
	switch err := k.Schedule.Insert(ctx, key); {
	case errors.Is(err, signing.ErrExists):
		return k.discard(ctx, key)
	case err != nil:
		return err // the row may be there all the same, so the key stays
	}
	k.Logger.InfoContext(ctx, "signing key made", slog.String("kid", key.KID), slog.String("algorithm", string(key.Algorithm)),
		slog.Int("generation", key.Generation), slog.Time("active_from", key.ActiveFrom))
	return nil
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
