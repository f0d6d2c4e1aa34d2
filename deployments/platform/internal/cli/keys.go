package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
)

func (a *app) keys() *cobra.Command {
	return a.group("key", "List, rotate and revoke signing keys",
		"Manage the keys that sign tokens. The keys service creates and rotates them by itself. An operator can request the next key, and revoke keys.\n\n"+noticeBound,
		"  platform key list\n  platform key rotate --algorithm ES256",
		a.keyList(), a.keyRotate(), a.keyRevoke())
}

// keyView is a key as commands show it.
type keyView struct {
	KID         string    `json:"kid"`
	Algorithm   string    `json:"algorithm"`
	Generation  int       `json:"generation" table:"-"`
	State       string    `json:"state"`
	PublishedAt time.Time `json:"published_at"`
	ActiveFrom  time.Time `json:"active_from"`
	RetireAt    time.Time `json:"retire_at,omitzero"`
	RevokedAt   time.Time `json:"revoked_at,omitzero"`
}

func viewKeys(schedule []signing.Key, now time.Time) []keyView {
	views := make([]keyView, len(schedule))
	for i, k := range schedule {
		views[i] = keyView{
			KID:         k.KID,
			Algorithm:   string(k.Algorithm),
			Generation:  k.Generation,
			State:       stateOf(k, schedule, now),
			PublishedAt: k.PublishedAt,
			ActiveFrom:  k.ActiveFrom,
			RetireAt:    k.RetireAt,
			RevokedAt:   k.RevokedAt,
		}
	}

	return views
}

// stateOf says what a key is used for now: it waits for its time, signs, verifies what it
// has signed, or is kept only for hints.
func stateOf(key signing.Key, schedule []signing.Key, now time.Time) string {
	switch {
	case !key.RevokedAt.IsZero():
		return "revoked"
	case !key.Verifies(now):
		return "retired"
	case !key.Signs(now):
		return "next"
	case activeKey(schedule, key.Algorithm, now).KID == key.KID:
		return "active"
	default:
		return "former"
	}
}

// activeKey returns the key that signs, chosen as the services choose it. It has no KID if
// there is none.
func activeKey(schedule []signing.Key, alg signing.Algorithm, now time.Time) (active signing.Key) {
	for _, k := range schedule {
		later := k.ActiveFrom.After(active.ActiveFrom) ||
			(k.ActiveFrom.Equal(active.ActiveFrom) && k.Generation > active.Generation)
		if k.Algorithm == alg && k.Signs(now) && later {
			active = k
		}
	}
	return active
}

func (a *app) keyList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List signing keys",
		Long: `List the signing keys by algorithm. A key is next (published, signs later), active
(signs now), former (published until the last token it signed has expired), retired
(kept unpublished, to recognise ID tokens in logout requests) or revoked.`,
		Example: "  platform key list --output json",
		Args:    a.noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.operate(cmd.Context(), func(ctx context.Context, o *operation) error {
				schedule, err := keystore.New(o.db).Keys(ctx)
				if err != nil {
					return err
				}
				return printRows(a, viewKeys(schedule, o.deps.Now()))
			})
		},
	}
}

func (a *app) keyRotate() *cobra.Command {
	var alg string
	var now bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Request the next signing key",
		Long: `Request the next key of each algorithm, or of one, from the keys service. The key is
published now and signs once every copy of the key set has it
(PLATFORM_KEY_PUBLISH_AHEAD). The former key stays published until the last token it
signed has expired, so nothing fails in between. If the next key is published
already, nothing changes.

If a key may have leaked, use --now, which makes the next key sign at once. If it is
published already, most verifiers know it. Otherwise a new key is published a second
before it signs, so that verifiers can find it. A verifier that caches the key set for
as long as it may (an hour), and doesn't fetch it again for an unknown key, refuses
tokens signed with a new key for up to that time. The former key still verifies; to
refuse what it signed, revoke it afterwards.

` + noticeBound,
		Example: "  platform key rotate\n  platform key rotate --algorithm ES256 --now",
		Args:    a.noArguments,
	}

	cmd.Flags().StringVar(&alg, "algorithm", "", "only this algorithm: RS256, PS256, ES256 or EdDSA")
	cmd.Flags().BoolVar(&now, "now", false, "sign with it at once")
	wait, dryRun := waitFlag(cmd), dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if alg != "" && !signing.Algorithm(alg).Known() {
			return usageError{fmt.Errorf("--algorithm must be RS256, PS256, ES256 or EdDSA, not %q", alg)}
		}

		return a.operate(cmd.Context(), func(ctx context.Context, o *operation) error {
			report, orders, err := o.desk(*dryRun).RotateKeys(ctx, signing.Algorithm(alg), now)
			if err != nil {
				return err
			}

			return a.await(ctx, o, report, *dryRun,
				*wait, func(schedule []signing.Key, at time.Time) (done bool, keys []signing.Key) {
					return carriedOut(orders, schedule, at)
				})
		})
	}

	return cmd
}

// carriedOut reports whether all orders are carried out, and returns the resulting keys.
func carriedOut(orders []signing.Order, schedule []signing.Key, now time.Time) (done bool, keys []signing.Key) {
	done = true
	for _, order := range orders {
		done = done && order.Done(schedule, now)
		for _, k := range schedule {
			if k.Algorithm == order.Algorithm && k.Generation == order.Generation {
				keys = append(keys, k)
			}
		}
	}

	return done, keys
}

func (a *app) keyRevoke() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke KID",
		Short: "Revoke a signing key for good",
		Long: `Revoke a signing key that has leaked. It is removed from the published key set, signs
nothing more, and the platform no longer accepts tokens that it signed. This can't be
undone. If no other key of its algorithm can sign, the keys service replaces it at
once: with the next key if that is published already (if it may have leaked too,
revoke it first), or with a new one. People and applications with tokens of the
revoked key have to sign in or request tokens again. Refresh tokens and sessions are
not affected.

A resource server that verifies tokens itself accepts those of a revoked key, and may
refuse those of a new one, for as long as it caches the key set: an hour at most.

` + noticeBound,
		Example: "  platform key revoke 5Wm1_Zp8uF0cQ0rJx7bqk4q8XnX3s8mO1r2t3u4v5w6 --dry-run",
		Args:    oneArgument("KID"),
	}

	wait, dryRun := waitFlag(cmd), dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.operate(cmd.Context(), func(ctx context.Context, o *operation) error {
			report, key, err := o.desk(*dryRun).RevokeKey(ctx, args[0])
			if err != nil {
				return err
			}

			return a.await(ctx, o, report, *dryRun,
				*wait, func(schedule []signing.Key, at time.Time) (done bool, keys []signing.Key) {
					if active := activeKey(schedule, key.Algorithm, at); active.KID != "" {
						return true, []signing.Key{active}
					}
					return key.ActiveFrom.After(at), nil // it hadn't signed yet, so no key replaces it
				})
		})
	}

	return cmd
}

func waitFlag(cmd *cobra.Command) *time.Duration {
	return cmd.Flags().Duration("wait", 15*time.Second,
		"how long to wait for the keys service to act, 0s for not at all")
}

// awaitEvery is how often the schedule is read while waiting.
const awaitEvery = 250 * time.Millisecond

// keyReport is a report together with the outcome.
type keyReport struct {
	*manifest.Report
	Done bool      `json:"done"` // the keys service has done its part
	Keys []keyView `json:"keys"` // the keys concerned
}

// await prints the report, waits until the schedule is as wanted, and prints the keys
// concerned.
func (a *app) await(
	ctx context.Context, o *operation, report *manifest.Report, dryRun bool, patience time.Duration, wanted wantedKeys,
) error {
	if dryRun {
		return a.printReport(report, dryRun)
	}

	if a.output != "json" {
		if err := a.printReport(report, dryRun); err != nil {
			return err
		}
	}

	result := keyReport{Report: report, Keys: []keyView{}}
	var err error
	if result.Done, result.Keys, err = o.awaitKeys(ctx, patience, wanted); err != nil {
		return err
	}

	if a.output == "json" {
		err = a.printJSON(result)
	} else {
		for _, k := range result.Keys {
			fmt.Fprintf(a.streams.Out, "%s key %s is %s, signs from %s\n", k.Algorithm, k.KID, k.State,
				k.ActiveFrom.Format(time.RFC3339))
		}
	}

	if err == nil && !result.Done && patience > 0 {
		err = fmt.Errorf("recorded, but the keys service has not acted on it within %s: it will as soon as it runs; see `platform key list`", patience)
	}

	return err
}

// wantedKeys reports whether a schedule is as it should become, and returns the keys
// concerned.
type wantedKeys func(schedule []signing.Key, now time.Time) (done bool, keys []signing.Key)

// awaitKeys reads the schedule until it is as wanted or the time is up.
func (o *operation) awaitKeys(
	ctx context.Context, patience time.Duration, wanted wantedKeys,
) (done bool, views []keyView, err error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()

	for {
		schedule, err := keystore.New(o.db).Keys(ctx)
		if err != nil {
			return false, nil, err
		}

		now := o.deps.Now()
		done, keys := wanted(schedule, now)
		views = []keyView{}
		for _, view := range viewKeys(schedule, now) {
			if slices.ContainsFunc(keys, func(k signing.Key) bool { return k.KID == view.KID }) {
				views = append(views, view)
			}
		}

		if done || patience <= 0 {
			return done, views, nil
		}

		select {
		case <-ctx.Done():
			return false, nil, ctx.Err()
		case <-late.C:
			return false, views, nil
		case <-tick.C:
		}
	}
}
