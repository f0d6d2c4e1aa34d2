package sqlstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// The rights in roles.sql and the statements here must agree.
func TestEachStoreNeedsNoMoreThanItsServicesRole(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	as := func(group string) *database.DB { return testkit.OpenPostgres(t, server.LoginURL(t, url, group)) }
	ctx := t.Context()

	operator := as("platform_operator")
	seed(t, operator)
	app := fullApplication()
	operate(t, operator, func(w *sqlstore.Writer) error {
		require.NoError(t, w.SaveTenant(ctx, acme, []string{"acme.test", "new.test"}, start))
		require.NoError(t, w.SaveUser(ctx, ada, []string{acme.ID}, start))
		require.NoError(t, w.SetPassword(ctx, bob.ID, "$hash$", start))
		require.NoError(t, w.SetPassword(ctx, bob.ID, "", start))
		require.NoError(t, w.SaveApplication(ctx, app, start))
		require.NoError(t, w.SetSecrets(ctx, app.ClientID, []directory.ApplicationSecret{secret("sec_1")}, start))
		require.NoError(t, w.SetSecrets(ctx, app.ClientID, []directory.ApplicationSecret{secret("sec_2")}, start))
		require.NoError(t, w.DisableTenant(ctx, bolt.ID, start))
		require.NoError(t, w.DisableUser(ctx, bob.ID, start))
		return w.DisableApplication(ctx, app.ClientID, start)
	})

	require.Len(t, list(t, operator).Users, 2)

	for _, group := range []string{"platform_authorize", "platform_device", "platform_token", "platform_session"} {
		db := as(group)
		_, err := sqlstore.NewApplications(db).Application(ctx, app.ClientID)
		require.NoError(t, err, group)
		_, err = sqlstore.NewPeople(db).User(ctx, ada.ID)
		require.NoError(t, err, group)
		_, err = sqlstore.NewPeople(db).Tenants(ctx, ada.ID)
		require.NoError(t, err, group)
		_, err = sqlstore.NewPeople(db).Tenant(ctx, acme.ID)
		require.NoError(t, err, group)

		_, err = sqlstore.NewApplicationsWithSecrets(db).Application(ctx, app.ClientID)
		if group == "platform_token" || group == "platform_device" {
			require.NoError(t, err, group)
		} else {
			require.ErrorContains(t, err, "permission denied", group)
		}

		_, err = sqlstore.NewPeople(db).Account(ctx, ada.Email)
		if group == "platform_session" {
			require.NoError(t, err, group)
		} else {
			require.ErrorContains(t, err, "permission denied", "%s reads no password hash", group)
		}

		require.ErrorContains(t, sqlstore.NewOperator(db).Tx(ctx, func(w *sqlstore.Writer) error {
			return w.SetPassword(ctx, ada.ID, "$hash$", start)
		}), "permission denied", group)
	}

	people := sqlstore.NewPeople(as("platform_session"))
	_, err := people.TenantByDomain(ctx, "acme.test")
	require.NoError(t, err)
	_, err = people.TenantBySlug(ctx, acme.Slug)
	require.NoError(t, err)
	_, err = people.SetPasswordHash(ctx, ada.ID, "$hash$1", "$hash$2", start)
	require.NoError(t, err)
	require.NoError(t, people.RecordLogin(ctx, ada.ID, start))
}
