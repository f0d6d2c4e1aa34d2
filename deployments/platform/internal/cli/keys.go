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
		"Look after the keys that tokens are signed with. The keys service makes them and rotates them by itself; an operator can ask it for the next one, and revoke.\n\n"+noticeBound,
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
		Long: `List the signing keys by algorithm: next (published, signs later), active (signs
now), former (published until the last token it signed has expired), retired
(kept unpublished, to recognise ID tokens that a logout names) and revoked.`,
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
		Short: "Ask for the next signing key",
		Long: `Ask the keys service for the next key of each algorithm, or of one. It is
published now and signs when every copy of the key set has it
(PLATFORM_KEY_PUBLISH_AHEAD); the former one stays published until the last token
it signed has expired. Nothing fails in between. Where the next key is published
already, there is nothing to do.

With --now it signs at once, for a key that may have leaked: the next key if it is
published already, which most verifiers know by then, or a new one, a second after
it was published, so that who does not know it finds it. A verifier
that keeps the key set for as long as it may (an hour), and does not fetch it
again for a key it does not know, refuses tokens of a new key for up to that time.
The former key still verifies: to refuse what was signed with it, revoke it then.

` + noticeBound,
		Example: "  platform key rotate\n  platform key rotate --algorithm ES256 --now",
		Args:    a.noArguments,
	}

	cmd.Flags().StringVar(&alg, "algorithm", "", "of this algorithm only: RS256, PS256, ES256 or EdDSA")
	cmd.Flags().BoolVar(&now, "now", false, "let it sign at once")
	wait, dryRun := waitFlag(cmd), dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if alg != "" && !signing.Algorithm(alg).Known() {
			return usageError{fmt.Errorf("--algorithm is RS256, PS256, ES256 or EdDSA, not %q", alg)}
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
		Short: "Take a signing key out of use for ever",
		Long: `Revoke a signing key that has leaked: it is gone from the published set, signs
nothing, and no token that it signed is accepted by the platform any more. That
cannot be undone. Where no other key of its algorithm is left to sign, the keys
service puts one in its place at once: the next key if it is published already (if
that may have leaked too, revoke it first), or a new one. People and applications
with tokens of the revoked key sign in and ask for tokens again; refresh tokens
and sessions are not concerned.

A resource that verifies tokens by itself accepts those of a revoked key, and may
refuse those of a new one, for as long as it keeps the key set: an hour at most.

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
		"how long to wait for the keys service to do its part; 0s: not at all")
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
		err = fmt.Errorf("that is recorded, but the keys service has not done its part within %s: it will when it runs, and `platform key list` shows it", patience)
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
