package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestAnOperatorSeesEverything(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		require.Equal(t, everything{
			Tenants: []sqlstore.TenantRecord{}, Users: []sqlstore.UserRecord{},
			Applications: []*directory.Application{},
		}, list(t, db))
		seed(t, db)
		a, b := bareApplication("app_a"), bareApplication("app_b")
		b.Type = directory.Service
		operate(t, db, func(w *sqlstore.Writer) error {
			require.NoError(t, w.SaveApplication(t.Context(), b, start))
			require.NoError(t, w.SaveApplication(t.Context(), a, start))
			require.NoError(t,
				w.SetSecrets(t.Context(), b.ClientID,
					[]directory.ApplicationSecret{secret("sec_b"), secret("sec_a")}, start))
			return w.DisableUser(t.Context(), bob.ID, start)
		})

		b.Secrets = []directory.ApplicationSecret{secret("sec_a"), secret("sec_b")}
		disabled := bob
		disabled.Active = false
		require.Equal(t, everything{
			Tenants: []sqlstore.TenantRecord{
				{Tenant: acme, Domains: []string{"acme.example", "acme.test"}},
				{Tenant: bolt, Domains: []string{"bolt.test"}},
			},
			Users: []sqlstore.UserRecord{
				{User: ada, TenantIDs: []string{acme.ID, bolt.ID}, PasswordHash: "$hash$1"},
				{User: disabled},
			},
			Applications: []*directory.Application{a, b},
		}, list(t, db))
	})
}

func TestSavingChangesEverythingButWhetherItIsEnabled(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		app := bareApplication("app_a")
		operate(t, db, func(w *sqlstore.Writer) error {
			require.NoError(t, w.SaveApplication(t.Context(), app, start))
			require.NoError(t, w.DisableTenant(t.Context(), acme.ID, start))
			require.NoError(t, w.DisableUser(t.Context(), ada.ID, start))
			return w.DisableApplication(t.Context(), app.ClientID, start)
		})

		now := start.Add(time.Hour)
		tenant := directory.Tenant{
			ID:      acme.ID,
			Slug:    "acme-2",
			Name:    "Acme 2",
			SSOOnly: true,
		}

		user := directory.User{
			ID:        ada.ID,
			Email:     "ada@bolt.test",
			Name:      "Ada",
			Claims:    map[string]any{"zoneinfo": "Europe/Berlin"},
			UpdatedAt: now,
		}

		changed := fullApplication()
		changed.ClientID, changed.JWKS, changed.Active = app.ClientID, nil, false
		operate(t, db, func(w *sqlstore.Writer) error {
			require.NoError(t, w.SaveTenant(t.Context(), tenant, []string{"acme.test", "new.test", "new.test"}, now))
			require.NoError(t, w.SaveUser(t.Context(), user, []string{bolt.ID, bolt.ID}, now))
			return w.SaveApplication(t.Context(), changed, now)
		})

		all := list(t, db)
		require.Equal(t,
			sqlstore.TenantRecord{Tenant: tenant, Domains: []string{"acme.test", "new.test"}}, all.Tenants[0])
		require.Equal(t,
			sqlstore.UserRecord{User: user, TenantIDs: []string{bolt.ID}, PasswordHash: "$hash$1"}, all.Users[0])
		require.Equal(t, []*directory.Application{changed}, all.Applications)

		operate(t, db, func(w *sqlstore.Writer) error {
			require.NoError(t, w.Enable(t.Context(), sqlstore.KindTenant, acme.ID, now))
			require.NoError(t, w.Enable(t.Context(), sqlstore.KindUser, ada.ID, now))
			return w.Enable(t.Context(), sqlstore.KindApplication, app.ClientID, now)
		})

		all = list(t, db)
		require.True(t, all.Tenants[0].Active && all.Users[0].Active && all.Applications[0].Active)
	})
}

func TestWhatStaysKeepsItsAge(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		app := bareApplication("app_a")
		app.Type = directory.Web
		save := func(at time.Time, domains, tenants []string, secrets ...directory.ApplicationSecret) {
			operate(t, db, func(w *sqlstore.Writer) error {
				require.NoError(t, w.SaveTenant(t.Context(), acme, domains, at))
				require.NoError(t, w.SaveUser(t.Context(), ada, tenants, at))
				require.NoError(t, w.SaveApplication(t.Context(), app, at))
				return w.SetSecrets(t.Context(), app.ClientID, secrets, at)
			})
		}

		save(start, []string{"acme.test"}, []string{acme.ID}, secret("sec_1"))
		later := start.Add(time.Hour)
		save(later, []string{"acme.test", "new.test"}, []string{acme.ID, bolt.ID}, secret("sec_1"), secret("sec_2"))

		for query, want := range map[string]time.Time{
			`SELECT verified_at FROM tenant_domains WHERE domain = 'acme.test'`:        start,
			`SELECT verified_at FROM tenant_domains WHERE domain = 'new.test'`:         later,
			`SELECT created_at FROM memberships WHERE tenant_id = 'tnt_acme'`:          start,
			`SELECT created_at FROM memberships WHERE tenant_id = 'tnt_bolt'`:          later,
			`SELECT created_at FROM application_secrets WHERE id = 'sec_1'`:            start,
			`SELECT created_at FROM application_secrets WHERE id = 'sec_2'`:            later,
			`SELECT created_at FROM tenants WHERE id = 'tnt_acme'`:                     start,
			`SELECT updated_at FROM tenants WHERE id = 'tnt_acme'`:                     later,
			`SELECT created_at FROM users WHERE id = 'usr_ada'`:                        start,
			`SELECT created_at FROM applications WHERE client_id = 'app_a'`:            start,
			`SELECT updated_at FROM applications WHERE client_id = 'app_a'`:            later,
			`SELECT updated_at FROM credentials WHERE user_id = 'usr_ada'`:             start,
			`SELECT max(verified_at) FROM tenant_domains WHERE tenant_id = 'tnt_bolt'`: start,
		} {
			var got database.Time
			require.NoError(t, db.Get(t.Context(), "test.age", &got, query), query)
			require.Equal(t, want, got.Time, query)
		}
	})
}

func TestSecretsAreReplacedAndEnd(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		app := bareApplication("app_a")
		app.Type = directory.Web
		other := bareApplication("app_b")
		other.Type = directory.Web
		operate(t, db, func(w *sqlstore.Writer) error {
			require.NoError(t, w.SaveApplication(t.Context(), other, start))
			require.NoError(t,
				w.SetSecrets(t.Context(), other.ClientID, []directory.ApplicationSecret{secret("sec_other")}, start))
			return w.SaveApplication(t.Context(), app, start)
		})

		ending := secret("sec_1")
		ending.ExpiresAt = start.Add(time.Hour)

		for _, secrets := range [][]directory.ApplicationSecret{
			{secret("sec_1")},
			{ending, secret("sec_2")},
			{secret("sec_2")},
			nil,
		} {
			operate(t, db,
				func(w *sqlstore.Writer) error { return w.SetSecrets(t.Context(), app.ClientID, secrets, start) })
			got, err := sqlstore.NewApplicationsWithSecrets(db).Application(t.Context(), app.ClientID)
			require.NoError(t, err)
			require.Equal(t, secrets, got.Secrets)
		}

		got, err := sqlstore.NewApplicationsWithSecrets(db).Application(t.Context(), other.ClientID)
		require.NoError(t, err)
		require.Equal(t, []directory.ApplicationSecret{secret("sec_other")}, got.Secrets, "not this one's to change")
	})
}

func TestAPasswordIsSetChangedAndTakenAway(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		for _, hash := range []string{"$hash$2", "$hash$3", "", "", "$hash$4"} {
			operate(t, db, func(w *sqlstore.Writer) error { return w.SetPassword(t.Context(), ada.ID, hash, start) })
			account, err := sqlstore.NewPeople(db).Account(t.Context(), ada.Email)
			require.NoError(t, err)
			require.Equal(t, hash, account.PasswordHash)
		}
	})
}

func TestADisabledOneKeepsTheTimeOfTheFirstWord(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)

		for i := range 2 {
			at := start.Add(time.Duration(i) * time.Hour)
			operate(t, db, func(w *sqlstore.Writer) error {
				return errors.Join(w.DisableTenant(t.Context(), acme.ID, at), w.DisableUser(t.Context(), ada.ID, at),
					w.DisableApplication(t.Context(), "app_none", at), w.DisableUser(t.Context(), "usr_none", at))
			})
		}

		var at database.Time
		require.NoError(t, db.Get(t.Context(), "test.at", &at, `SELECT disabled_at FROM tenants WHERE id = 'tnt_acme'`))
		require.Equal(t, start, at.Time)
		require.NoError(t, db.Get(t.Context(), "test.at", &at, `SELECT disabled_at FROM users WHERE id = 'usr_ada'`))
		require.Equal(t, start, at.Time)
	})
}

func TestWhatSomebodyElseHasIsAConflictThatNamesIt(t *testing.T) {
	ctx := context.Background()
	for name, tt := range map[string]struct {
		write func(w *sqlstore.Writer) error
		want  string
	}{
		"another person's address": {
			func(w *sqlstore.Writer) error {
				return w.SaveUser(ctx, directory.User{ID: "usr_eve", Email: ada.Email}, nil, start)
			}, "the e-mail address is taken",
		},
		"another tenant's slug": {
			func(w *sqlstore.Writer) error {
				return w.SaveTenant(ctx, directory.Tenant{ID: "tnt_eve", Slug: acme.Slug}, nil, start)
			}, "the slug is taken",
		},
		"another tenant's domain": {
			func(w *sqlstore.Writer) error {
				return w.SaveTenant(ctx, directory.Tenant{ID: "tnt_eve", Slug: "eve"},
					[]string{"eve.test", "acme.test"}, start)
			}, "the domain is taken",
		},
		"a secret twice": {
			func(w *sqlstore.Writer) error {
				return w.SetSecrets(ctx, "app_a",
					[]directory.ApplicationSecret{secret("sec_a"), {ID: "sec_b", Hash: secret("sec_a").Hash}}, start)
			}, "the client secret is taken",
		},
		"the id of another application's secret": {
			func(w *sqlstore.Writer) error {
				return w.SetSecrets(ctx, "app_b", []directory.ApplicationSecret{secret("sec_a")}, start)
			}, "the id of the client secret is taken",
		},
		"the id of another secret": {
			func(w *sqlstore.Writer) error {
				return w.SetSecrets(ctx, "app_a",
					[]directory.ApplicationSecret{{ID: "sec_a", Hash: []byte("other")}}, start)
			}, "the id of the client secret is taken",
		},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
				seed(t, db)
				operate(t, db, func(w *sqlstore.Writer) error {
					require.NoError(t, w.SaveApplication(ctx, bareApplication("app_a"), start))
					require.NoError(t, w.SaveApplication(ctx, bareApplication("app_b"), start))
					return w.SetSecrets(ctx, "app_a", []directory.ApplicationSecret{secret("sec_a")}, start)
				})

				before := list(t, db)
				err := sqlstore.NewOperator(db).Tx(ctx, tt.write)
				var conflict *sqlstore.ConflictError
				require.ErrorAs(t, err, &conflict)
				require.EqualError(t, err, tt.want)
				require.Equal(t, before, list(t, db), "nothing of it happened")
			})
		})
	}
}

func TestATransactionThatFailsChangesNothing(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		before := list(t, db)
		own := errors.New("a dry run")
		require.Equal(t, own, sqlstore.NewOperator(db).Tx(t.Context(), func(w *sqlstore.Writer) error {
			require.NoError(t,
				w.SaveTenant(t.Context(), directory.Tenant{ID: "tnt_new", Slug: "new"}, []string{"new.test"}, start))
			require.NoError(t, w.SaveApplication(t.Context(), fullApplication(), start))
			require.NoError(t, w.SetPassword(t.Context(), ada.ID, "", start))
			return own
		}))

		require.Error(t, sqlstore.NewOperator(db).Tx(t.Context(), func(w *sqlstore.Writer) error {
			return w.SaveUser(t.Context(), directory.User{ID: "usr_new", Email: "new@acme.test"},
				[]string{"tnt_none"}, start)
		}), "a tenant that does not exist")
		require.Equal(t, before, list(t, db))
	})
}

func TestTwoOperatorsAtOnceWaitForEachOther(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		const operators = 20
		errs := make(chan error, operators)
		for range operators {
			go func() {
				errs <- sqlstore.NewOperator(db).Tx(context.WithoutCancel(t.Context()), func(w *sqlstore.Writer) error {
					tenants, err := w.Tenants(context.WithoutCancel(t.Context()))
					if err != nil || len(tenants) > 0 {
						return err
					}
					return w.SaveTenant(context.WithoutCancel(t.Context()), acme, []string{"acme.test"}, start)
				})
			}()
		}

		for range operators {
			require.NoError(t, <-errs, "none decides on rows that another changes")
		}
	})
}

func TestAnOperatorWhoWentAwayChangesNothing(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		before := list(t, db)
		requireCanceled(t, map[string]func(context.Context) error{
			"Tx": func(ctx context.Context) error {
				return sqlstore.NewOperator(db).Tx(ctx,
					func(w *sqlstore.Writer) error { return w.SaveApplication(ctx, bareApplication("app_a"), start) })
			},
		})

		ctx, cancel := context.WithCancel(t.Context())
		require.Error(t, sqlstore.NewOperator(db).Tx(ctx, func(w *sqlstore.Writer) error {
			require.NoError(t, w.SaveApplication(ctx, bareApplication("app_a"), start))
			cancel()
			return w.SaveApplication(ctx, bareApplication("app_b"), start)
		}))

		require.Equal(t, before, list(t, db))
	})
}
