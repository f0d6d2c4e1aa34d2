package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestADomainMovesFromATenantToAnother(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		people := sqlstore.NewPeople(db)
		ctx := t.Context()
		var conflict *sqlstore.ConflictError
		require.ErrorAs(t, sqlstore.NewOperator(db).Tx(ctx, func(w *sqlstore.Writer) error {
			return w.SaveTenant(ctx, bolt, []string{"bolt.test", "acme.test"}, later)
		}), &conflict, "not while another has it")

		operate(t, db, func(w *sqlstore.Writer) error {
			return first(
				func() error { return w.SaveTenant(ctx, acme, []string{"acme.example"}, later) },
				func() error { return w.SaveTenant(ctx, bolt, []string{"bolt.test", "acme.test"}, later) },
			)
		})

		for domain, want := range map[string]directory.Tenant{
			"acme.test":    bolt,
			"bolt.test":    bolt,
			"acme.example": acme,
		} {
			got, err := people.TenantByDomain(ctx, domain)
			require.NoError(t, err)
			require.Equal(t, &want, got, domain)
		}

		require.Equal(t, later,
			value[database.Time](t, db, `SELECT verified_at FROM tenant_domains WHERE domain = 'acme.test'`).Time,
			"it is new to this one")
		operate(t, db, func(w *sqlstore.Writer) error { return w.SaveTenant(ctx, bolt, nil, later) })
		_, err := people.TenantByDomain(ctx, "acme.test")
		require.ErrorIs(t, err, directory.ErrNotFound)
	})
}

func TestWhatAnotherGaveUpIsFreeInTheSameTransaction(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		ctx := t.Context()
		moved, heir := ada, bob
		moved.Email, heir.Email = "ada@elsewhere.test", ada.Email
		old, renamed := acme, bolt
		old.Slug, renamed.Slug = "acme-old", acme.Slug
		operate(t, db, func(w *sqlstore.Writer) error {
			return first(
				func() error { return w.SaveUser(ctx, moved, nil, start) },
				func() error { return w.SaveUser(ctx, heir, nil, start) },
				func() error { return w.SaveTenant(ctx, old, nil, start) },
				func() error { return w.SaveTenant(ctx, renamed, nil, start) },
				func() error { return w.SaveApplication(ctx, webApplication("app_a"), start) },
				func() error {
					return w.SetSecrets(ctx, "app_a", []directory.ApplicationSecret{secret("sec_1")}, start)
				},
				func() error { // the same secret under another id
					return w.SetSecrets(ctx, "app_a",
						[]directory.ApplicationSecret{{ID: "sec_2", Hash: secret("sec_1").Hash}}, start)
				},
			)
		})

		account, err := sqlstore.NewPeople(db).Account(ctx, ada.Email)
		require.NoError(t, err)
		require.Equal(t, bob.ID, account.User.ID)
		require.Empty(t, account.PasswordHash, "an address takes no password along")
		tenant, err := sqlstore.NewPeople(db).TenantBySlug(ctx, acme.Slug)
		require.NoError(t, err)
		require.Equal(t, bolt.ID, tenant.ID)
		require.Equal(t, "sec_2", value[string](t, db, `SELECT id FROM application_secrets`))
	})
}

func TestASecretMayGetAnotherEnd(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		saveApplication(t, db, webApplication("app_a"), secret("sec_1"))

		for _, end := range []time.Time{later, later.Add(time.Microsecond), {}, later} {
			ending := secret("sec_1")
			ending.ExpiresAt = end
			operate(t, db, func(w *sqlstore.Writer) error {
				return w.SetSecrets(t.Context(), "app_a", []directory.ApplicationSecret{ending}, later)
			})
			app, err := sqlstore.NewApplicationsWithSecrets(db).Application(t.Context(), "app_a")
			require.NoError(t, err)
			require.Equal(t, []directory.ApplicationSecret{ending}, app.Secrets)
			require.Equal(t, start, value[database.Time](t, db, `SELECT created_at FROM application_secrets`).Time)
		}
	})
}

func TestTimesOfTheDirectoryAreUTCInMicroseconds(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		ctx := t.Context()
		ending := secret("sec_1")
		ending.ExpiresAt = elsewhere
		operate(t, db, func(w *sqlstore.Writer) error {
			return first(
				func() error { return w.SaveUser(ctx, ada, nil, elsewhere) },
				func() error { return w.SaveApplication(ctx, webApplication("app_a"), elsewhere) },
				func() error { return w.SetSecrets(ctx, "app_a", []directory.ApplicationSecret{ending}, elsewhere) },
			)
		})

		user, err := sqlstore.NewPeople(db).User(ctx, ada.ID)
		require.NoError(t, err)
		require.Equal(t, start, user.UpdatedAt)
		app, err := sqlstore.NewApplicationsWithSecrets(db).Application(ctx, "app_a")
		require.NoError(t, err)
		require.Equal(t, start, app.Secrets[0].ExpiresAt)
	})
}

func TestWhatMakesNoSenseIsNoConflict(t *testing.T) {
	ctx := context.Background()
	for name, save := range map[string]func(w *sqlstore.Writer) error{
		"a type that there is not": func(w *sqlstore.Writer) error {
			app := bareApplication("app_a")
			app.Type = "ROBOT"
			return w.SaveApplication(ctx, app, start)
		},
		"an application of one tenant without a tenant": func(w *sqlstore.Writer) error {
			app := bareApplication("app_a")
			app.ScopeLevel = directory.TenantScoped
			return w.SaveApplication(ctx, app, start)
		},
		"an application of all tenants with one": func(w *sqlstore.Writer) error {
			app := bareApplication("app_a")
			app.TenantID = acme.ID
			return w.SaveApplication(ctx, app, start)
		},
		"an application of a tenant that there is not": func(w *sqlstore.Writer) error {
			app := fullApplication()
			app.TenantID = "tnt_none"
			return w.SaveApplication(ctx, app, start)
		},
		"a password without a user": func(w *sqlstore.Writer) error {
			return w.SetPassword(ctx,
				"usr_none", "$hash$", start)
		},
		"a secret of no application": func(w *sqlstore.Writer) error {
			return w.SetSecrets(ctx, "app_none", []directory.ApplicationSecret{secret("sec_1")}, start)
		},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
				seed(t, db)
				before := list(t, db)
				err := sqlstore.NewOperator(db).Tx(ctx, save)
				require.Equal(t, database.KindOther, database.Classify(ctx, err))
				var conflict *sqlstore.ConflictError
				require.NotErrorAs(t, err, &conflict)
				require.Equal(t, before, list(t, db))
			})
		})
	}
}

func TestAConflictShowsNoAddressAndKeepsItsCause(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		err := sqlstore.NewOperator(db).Tx(t.Context(), func(w *sqlstore.Writer) error {
			return w.SaveUser(t.Context(), directory.User{ID: "usr_eve", Email: ada.Email}, nil, start)
		})
		require.NotContains(t, err.Error(), ada.Email)
		require.Equal(t, database.KindConflict, database.Classify(t.Context(), errors.Unwrap(err)))
	})
}

func TestAPanicInATransactionChangesNothing(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		before := list(t, db)
		require.PanicsWithValue(t, "a bug", func() {
			_ = sqlstore.NewOperator(db).Tx(t.Context(), func(w *sqlstore.Writer) error {
				require.NoError(t, w.DisableUser(t.Context(), ada.ID, start))
				panic("a bug")
			})
		})

		require.Equal(t, before, list(t, db), "and the lock is free")
	})
}

// Each takes the next free number, because none sees what another is about to write.
func TestFiftyOperatorsAtOnceTakeTurns(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		operator, ctx := sqlstore.NewOperator(db), t.Context()
		for _, err := range together(func(int) error {
			return operator.Tx(ctx, func(w *sqlstore.Writer) error {
				tenants, err := w.Tenants(ctx)
				if err != nil {
					return err
				}
				n := len(tenants)
				return w.SaveTenant(ctx, directory.Tenant{ID: fmt.Sprint("tnt_", n), Slug: fmt.Sprint("t", n)},
					[]string{fmt.Sprint(n, ".test")}, start)
			})
		}) {
			require.NoError(t, err)
		}

		require.Len(t, list(t, db).Tenants, many)
	})
}

func TestEachMethodOfAWriterHearsThatItsCallerWentAway(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		saveApplication(t, db, webApplication("app_a"), secret("sec_1"))
		before := list(t, db)
		calls := map[string]func(context.Context) error{}
		for name, call := range map[string]func(ctx context.Context, w *sqlstore.Writer) error{
			"Tenants": func(
				ctx context.Context, w *sqlstore.Writer,
			) error {
				_, err := w.Tenants(ctx)
				return err
			},
			"Users": func(
				ctx context.Context, w *sqlstore.Writer,
			) error {
				_, err := w.Users(ctx)
				return err
			},
			"Applications": func(
				ctx context.Context, w *sqlstore.Writer,
			) error {
				_, err := w.Applications(ctx)
				return err
			},
			"SaveTenant": func(
				ctx context.Context, w *sqlstore.Writer,
			) error {
				return w.SaveTenant(ctx, acme, nil, later)
			},
			"SaveUser": func(
				ctx context.Context, w *sqlstore.Writer,
			) error {
				return w.SaveUser(ctx, ada, nil, later)
			},
			"SetPassword": func(
				ctx context.Context, w *sqlstore.Writer,
			) error {
				return w.SetPassword(ctx, ada.ID, "x", later)
			},
			"clear password": func(
				ctx context.Context, w *sqlstore.Writer,
			) error {
				return w.SetPassword(ctx, ada.ID, "", later)
			},
			"SaveApplication": func(ctx context.Context, w *sqlstore.Writer) error {
				return w.SaveApplication(ctx, fullApplication(), later)
			},
			"SetSecrets": func(
				ctx context.Context, w *sqlstore.Writer,
			) error {
				return w.SetSecrets(ctx, "app_a", nil, later)
			},
			"DisableTenant": func(
				ctx context.Context, w *sqlstore.Writer,
			) error {
				return w.DisableTenant(ctx, acme.ID, later)
			},
			"DisableUser": func(
				ctx context.Context, w *sqlstore.Writer,
			) error {
				return w.DisableUser(ctx, ada.ID, later)
			},
			"DisableApplication": func(ctx context.Context, w *sqlstore.Writer) error {
				return w.DisableApplication(ctx, "app_a", later)
			},
		} {
			calls[name] = func(ctx context.Context) error {
				return sqlstore.NewOperator(db).Tx(t.Context(), func(w *sqlstore.Writer) error { return call(ctx, w) })
			}
		}

		requireCanceled(t, calls)
		require.Equal(t, before, list(t, db))
	})
}

func TestARehearsalMeetsTheSameConflictsAndChangesNothing(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		operator, ctx := sqlstore.NewOperator(db), t.Context()
		save := func(w *sqlstore.Writer) error { return w.SaveTenant(ctx, acme, nil, start) }
		require.NoError(t, operator.Try(ctx, save))
		tenants, err := sqlstore.NewReader(db).Tenants(ctx)
		require.NoError(t, err)
		require.Empty(t, tenants)
		require.NoError(t, operator.Tx(ctx, save))
		var conflict *sqlstore.ConflictError
		require.ErrorAs(t, operator.Try(ctx, func(w *sqlstore.Writer) error {
			return w.SaveTenant(ctx, directory.Tenant{ID: "tnt_other", Slug: acme.Slug}, nil, start)
		}), &conflict)
	})
}

func TestAnOperatorFindsAPersonByAddressOrID(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		ctx := t.Context()
		operate(t, db, func(w *sqlstore.Writer) error {
			return errors.Join(
				w.SaveTenant(ctx, acme, nil, start), w.SaveUser(ctx, ada, []string{acme.ID}, start),
				w.SaveUser(ctx, bob, nil, start),
				w.SetPassword(ctx, ada.ID, "hash", start),
			)
		})

		want := &sqlstore.UserRecord{User: ada, TenantIDs: []string{acme.ID}, PasswordHash: "hash"}
		for _, name := range []string{ada.ID, ada.Email} {
			got, err := sqlstore.NewReader(db).User(ctx, name)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}

		for _, name := range []string{"", "usr_none", "Ada@acme.test"} {
			_, err := sqlstore.NewReader(db).User(ctx, name)
			require.ErrorIs(t, err, directory.ErrNotFound)
		}
	})
}
