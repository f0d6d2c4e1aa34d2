package sqlstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestMarksRememberWhatEachSideLastSet(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		mark := func(id, by, value string) sqlstore.Mark {
			return sqlstore.Mark{
				ID:    id,
				Field: sqlstore.FieldPassword,
				By:    by,
				Value: value,
			}
		}

		operate(t, db, func(w *sqlstore.Writer) error {
			for _, m := range []sqlstore.Mark{
				mark("usr_a", sqlstore.ByApply, "first"),
				mark("usr_a", sqlstore.ByApply, "second"),
				mark("usr_a", sqlstore.ByOperator, "theirs"),
				mark("usr_b", sqlstore.ByApply, "other"),
			} {
				require.NoError(t, w.Mark(t.Context(), sqlstore.KindUser, m, start))
			}
			return w.Mark(t.Context(), sqlstore.KindTenant, mark("usr_c", sqlstore.ByApply, "of a tenant"), start)
		})

		marks, err := sqlstore.NewReader(db).Marks(t.Context(), sqlstore.KindUser, []string{"usr_a", "usr_b", "usr_c"})
		require.NoError(t, err)
		require.Len(t, marks, 3)
		value, ok := marks.Of("usr_a", sqlstore.FieldPassword, sqlstore.ByApply)
		require.True(t, ok)
		require.Equal(t, "second", value)
		value, _ = marks.Of("usr_a", sqlstore.FieldPassword, sqlstore.ByOperator)
		require.Equal(t, "theirs", value)
		_, ok = marks.Of("usr_c", sqlstore.FieldPassword, sqlstore.ByApply)
		require.False(t, ok, "the id of another kind of thing")

		none, err := sqlstore.NewReader(db).Marks(t.Context(), sqlstore.KindUser, nil)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

func TestAPasswordIsReplacedOnlyWhereItIsStillTheSame(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		replace := func(id, old, hash string) (done bool) {
			operate(t, db, func(w *sqlstore.Writer) (err error) {
				done, err = w.ReplacePassword(t.Context(), id, old, hash, start)
				return err
			})
			return done
		}

		require.True(t, replace(ada.ID, "$hash$1", "$hash$2"))
		require.False(t, replace(ada.ID, "$hash$1", "$hash$3"))
		require.False(t, replace(ada.ID, "", "$hash$3"), "there is one")
		require.True(t, replace(bob.ID, "", "$hash$3"))
		require.False(t, replace(bob.ID, "", "$hash$4"))
	})
}

func TestWhenSomethingWasDisabled(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		disabledAt := func() time.Time {
			at, err := sqlstore.NewReader(db).DisabledAt(t.Context(), sqlstore.KindUser, ada.ID)
			require.NoError(t, err)
			return at
		}

		disable := func(at time.Time) (done bool) {
			operate(t, db, func(w *sqlstore.Writer) (err error) {
				done, err = w.Disable(t.Context(), sqlstore.KindUser, ada.ID, at)
				return err
			})
			return done
		}

		require.True(t, disabledAt().IsZero())
		require.True(t, disable(start))
		require.False(t, disable(later), "it is off already")
		require.Equal(t, start, disabledAt())
	})
}

func TestActivePeopleAreListedInPages(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		r := sqlstore.NewReader(db)
		first, err := r.ActiveUsers(t.Context(), "", 1)
		require.NoError(t, err)
		require.Equal(t, []sqlstore.ActiveUser{{ID: ada.ID, Email: ada.Email}}, first)
		rest, err := r.ActiveUsers(t.Context(), first[0].Email, 10)
		require.NoError(t, err)

		for _, u := range rest {
			require.NotEqual(t, ada.ID, u.ID)
		}
	})
}
