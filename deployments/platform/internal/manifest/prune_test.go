package manifest_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func pruning(p manifest.Pruning) func(*manifest.ApplyOptions) {
	p.Wanted = true
	return func(o *manifest.ApplyOptions) { o.Prune = p }
}

func answer(yes bool, err error) func(*manifest.ApplyOptions) {
	return pruning(manifest.Pruning{Ask: func(string) (bool, error) { return yes, err }})
}

func TestManyRemovalsHaveToBeConfirmed(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		o.apply(crowd(130, "A"))
		before := o.state()

		for left, want := range map[string]string{
			crowd(118, "A"):   "12 of 130 users",
			crowd(119, "A"):   "11 of 130 users",
			"users: []":       "130 of 130 users",
			"tenants: []":     "1 of 1 tenants",
			`{"users": []}`:   "130 of 130 users",
			"users: [ ] # \n": "130 of 130 users",
		} {
			for _, how := range []func(*manifest.ApplyOptions){
				pruning(manifest.Pruning{}), pruning(manifest.Pruning{Count: 5}),
				pruning(manifest.Pruning{Count: 131}), answer(false, nil),
			} {
				_, err := o.try(left, how)
				var refused *manifest.PruneError
				require.ErrorAs(t, err, &refused)
				require.Equal(t, want, refused.What)
			}

			require.NotEmpty(t, o.apply(left, pruning(manifest.Pruning{}), dryRun).Changes, "a dry run shows them")
		}

		_, err := o.try("users: []", answer(true, errors.New("the terminal is gone")))
		require.ErrorContains(t, err, "the terminal is gone")
		_, err = o.try(crowd(130, "A"), pruning(manifest.Pruning{Count: 1}))
		require.ErrorContains(t, err, "there is nothing to disable")
		require.Equal(t, before, o.state())

		require.Len(t, o.apply(crowd(120, "A"), pruning(manifest.Pruning{})).Changes, 10,
			"ten of more than a hundred are few")
		require.Len(t, o.apply(crowd(100, "A"), pruning(manifest.Pruning{Count: 20})).Changes, 20)
		require.Len(t, o.apply(crowd(80, "A"), answer(true, nil)).Changes, 20)

		for _, silent := range []string{
			"users:", "users: null", `{"users": null}`, "tenants:\n  - {slug: acme, name: Acme}",
		} {
			require.Empty(t, o.apply(silent, pruning(manifest.Pruning{})).Changes,
				"%q does not speak of people", silent)
		}
	})
}
