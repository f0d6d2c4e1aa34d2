package sqlstore_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestAPersonIsReadAsSaved(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		people := sqlstore.NewPeople(db)
		for _, want := range []directory.User{ada, bob} {
			got, err := people.User(t.Context(), want.ID)
			require.NoError(t, err)
			require.Equal(t, &want, got)
		}

		operate(t, db, func(w *sqlstore.Writer) error {
			return first(
				func() error {
					return w.SaveUser(t.Context(), directory.User{ID: "usr_nil", Email: "nil@acme.test"}, nil, start)
				},
				func() error { return w.DisableUser(t.Context(), ada.ID, later) },
			)
		})

		none, err := people.User(t.Context(), "usr_nil")
		require.NoError(t, err)
		require.Empty(t, none.Claims)
		disabled, err := people.User(t.Context(), ada.ID)
		require.NoError(t, err)
		require.False(t, disabled.Active)

		for _, id := range []string{"usr_none", "", "USR_ADA"} {
			_, err = people.User(t.Context(), id)
			require.ErrorIs(t, err, directory.ErrNotFound)
		}
	})
}

func TestAnAccountIsFoundByItsAddress(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		people := sqlstore.NewPeople(db)
		got, err := people.Account(t.Context(), ada.Email)
		require.NoError(t, err)
		require.Equal(t, &directory.Account{User: ada, PasswordHash: "$hash$1"}, got)
		got, err = people.Account(t.Context(), bob.Email)
		require.NoError(t, err)
		require.Equal(t, &directory.Account{User: bob}, got, "no password")

		for _, email := range []string{"none@acme.test", "", "ADA@acme.test", "ada@acme.tes_", "%"} {
			_, err = people.Account(t.Context(), email)
			require.ErrorIs(t, err, directory.ErrNotFound, email)
		}

		operate(t, db, func(w *sqlstore.Writer) error { return w.DisableUser(t.Context(), ada.ID, later) })
		got, err = people.Account(t.Context(), ada.Email)
		require.NoError(t, err)
		require.False(t, got.User.Active)
		require.NotEmpty(t, got.PasswordHash, "so that checking it takes as long as for others")
	})
}

func TestAPersonMayChooseAmongActiveTenants(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		people := sqlstore.NewPeople(db)
		require.Equal(t, []directory.Tenant{acme, bolt}, tenantsOf(t, people, ada.ID))
		renamed := acme
		renamed.Name = "Zacme"
		operate(t, db, func(w *sqlstore.Writer) error { return w.SaveTenant(t.Context(), renamed, nil, later) })
		require.Equal(t, []directory.Tenant{bolt, renamed}, tenantsOf(t, people, ada.ID), "by name")
		operate(t, db, func(w *sqlstore.Writer) error { return w.DisableTenant(t.Context(), bolt.ID, later) })
		require.Equal(t, []directory.Tenant{renamed}, tenantsOf(t, people, ada.ID))
		require.Empty(t, tenantsOf(t, people, bob.ID))
		require.Empty(t, tenantsOf(t, people, "usr_none"))
	})
}

func tenantsOf(t *testing.T, people *sqlstore.People, id string) []directory.Tenant {
	t.Helper()
	tenants, err := people.Tenants(t.Context(), id)
	require.NoError(t, err)
	return tenants
}

func TestATenantIsFoundByIDSlugAndDomain(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		people := sqlstore.NewPeople(db)
		ways := []func(ctx context.Context) (*directory.Tenant, error){
			func(ctx context.Context) (*directory.Tenant, error) { return people.Tenant(ctx, acme.ID) },
			func(ctx context.Context) (*directory.Tenant, error) { return people.TenantBySlug(ctx, "acme") },
			func(ctx context.Context) (*directory.Tenant, error) { return people.TenantByDomain(ctx, "acme.test") },
			func(ctx context.Context) (*directory.Tenant, error) {
				return people.TenantByDomain(ctx, "acme.example")
			},
		}
		for _, disabled := range []bool{false, true} {
			want := acme
			want.Active = !disabled

			if disabled {
				operate(t, db, func(w *sqlstore.Writer) error { return w.DisableTenant(t.Context(), acme.ID, later) })
			}

			for i, find := range ways {
				got, err := find(t.Context())
				require.NoError(t, err, i)
				require.Equal(t, &want, got, i)
			}
		}

		for _, wrong := range []string{"", "none", "ACME", "acme.test."} {
			_, err := people.Tenant(t.Context(), wrong)
			require.ErrorIs(t, err, directory.ErrNotFound)
			_, err = people.TenantBySlug(t.Context(), wrong)
			require.ErrorIs(t, err, directory.ErrNotFound)
			_, err = people.TenantByDomain(t.Context(), wrong)
			require.ErrorIs(t, err, directory.ErrNotFound)
		}
	})
}

func TestAHashIsUpgradedUnlessItHasChanged(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		people := sqlstore.NewPeople(db)
		hash := func() string {
			return value[string](t, db, `SELECT password_hash FROM credentials WHERE user_id = $1`, ada.ID)
		}
		set := func(userID, old, fresh string) bool {
			changed, err := people.SetPasswordHash(t.Context(), userID, old, fresh, later)
			require.NoError(t, err)
			return changed
		}

		require.True(t, set(ada.ID, "$hash$1", "$argon2id$2"))
		require.Equal(t, "$argon2id$2", hash())
		require.Equal(t, later,
			value[database.Time](t, db, `SELECT updated_at FROM credentials WHERE user_id = $1`, ada.ID).Time)
		require.False(t, set(ada.ID, "$hash$1", "$argon2id$3"))
		require.Equal(t, "$argon2id$2", hash(), "another was set meanwhile")
		require.False(t, set(bob.ID, "", "$argon2id$3"))
		require.Equal(t, 1, value[int](t, db, `SELECT count(*) FROM credentials`), "who has no password gets none")

		var won atomic.Int32
		for _, err := range together(func(i int) error {
			changed, err := people.SetPasswordHash(t.Context(), ada.ID, "$argon2id$2",
				"$argon2id$upgraded"+strconv.Itoa(i), later)
			if changed {
				won.Add(1)
			}
			return err
		}) {
			require.NoError(t, err)
		}

		require.EqualValues(t, 1, won.Load())
		require.Contains(t, hash(), "$argon2id$upgraded")
	})
}

// The person's own row is the operator's to write: a sign-in waits for no apply.
func TestALoginIsRecordedBesideThePerson(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		people, reader := sqlstore.NewPeople(db), sqlstore.NewReader(db)
		lastLogin := func(id string) time.Time {
			user, err := reader.User(t.Context(), id)
			require.NoError(t, err)
			return user.LastLoginAt
		}

		require.True(t, lastLogin(ada.ID).IsZero())
		require.NoError(t, people.RecordLogin(t.Context(), ada.ID, elsewhere))
		require.Equal(t, start, lastLogin(ada.ID))
		require.True(t, lastLogin(bob.ID).IsZero(), "only of that person")
		require.NoError(t, people.RecordLogin(t.Context(), "usr_none", later))

		user, err := people.User(t.Context(), ada.ID)
		require.NoError(t, err)
		require.Equal(t, start, user.UpdatedAt, "the person has not changed (OpenID Connect Core 5.1, updated_at)")
		require.True(t, value[database.Time](t, db, `SELECT last_login_at FROM users WHERE id = $1`, ada.ID).IsZero())

		require.NoError(t, people.RecordLogin(t.Context(), ada.ID, later))
		require.Equal(t, later, lastLogin(ada.ID))
		evenLater := later.Add(time.Hour)
		_, err = db.Exec(t.Context(), "test.old_login", `UPDATE users SET last_login_at = $2 WHERE id = $1`,
			ada.ID, database.At(evenLater))
		require.NoError(t, err)
		require.Equal(t, evenLater, lastLogin(ada.ID), "a replica of the version before notes it at the person")
	})
}

// Earlier versions stored addresses as they were typed, in lower case.
func TestAnAddressIsFoundHoweverAnEarlierVersionSpeltIt(t *testing.T) {
	const email = "z\u00f6e@xn--bcher-kva.test"
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		people, reader := sqlstore.NewPeople(db), sqlstore.NewReader(db)
		_, err := people.Account(t.Context(), email)
		require.ErrorIs(t, err, directory.ErrNotFound)

		for i, stored := range []string{
			"zo\u0308e@bu\u0308cher.test", "zo\u0308e@xn--bcher-kva.test", "z\u00f6e@b\u00fccher.test", email,
		} {
			id := "usr_" + strconv.Itoa(i)
			operate(t, db, func(w *sqlstore.Writer) error {
				return w.SaveUser(t.Context(), directory.User{ID: id, Email: stored}, nil, start)
			})
			account, err := people.Account(t.Context(), email)
			require.NoError(t, err, stored)

			if i == 0 || stored == email {
				require.Equal(t, id, account.User.ID, "the form of today comes first")
			}

			user, err := reader.User(t.Context(), email)
			require.NoError(t, err)
			require.Equal(t, account.User.ID, user.ID)
			several, err := reader.UsersByEmail(t.Context(), []string{"x@y.test", email})
			require.NoError(t, err)
			require.Len(t, several, 1)
		}
	})
}

func TestPeopleHearThatTheirCallerWentAway(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		people := sqlstore.NewPeople(db)
		requireCanceled(t, map[string]func(context.Context) error{
			"Account": func(ctx context.Context) error { _, err := people.Account(ctx, ada.Email); return err },
			"User":    func(ctx context.Context) error { _, err := people.User(ctx, ada.ID); return err },
			"Tenants": func(ctx context.Context) error { _, err := people.Tenants(ctx, ada.ID); return err },
			"Tenant":  func(ctx context.Context) error { _, err := people.Tenant(ctx, acme.ID); return err },
			"TenantBySlug": func(ctx context.Context) error {
				_, err := people.TenantBySlug(ctx,
					acme.Slug)
				return err
			},
			"TenantByDomain": func(ctx context.Context) error {
				_, err := people.TenantByDomain(ctx,
					"acme.test")
				return err
			},
			"SetPasswordHash": func(ctx context.Context) error {
				_, err := people.SetPasswordHash(ctx, ada.ID, "$hash$1", "x", later)
				return err
			},
			"RecordLogin": func(ctx context.Context) error { return people.RecordLogin(ctx, ada.ID, later) },
		})

		account, err := people.Account(t.Context(), ada.Email)
		require.NoError(t, err)
		require.Equal(t, "$hash$1", account.PasswordHash)
	})
}
