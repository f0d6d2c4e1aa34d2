package sqlstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestOriginsAreThoseOfEnabledGlobalSPAs(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		store := sqlstore.NewApplications(db)
		origins, err := store.Origins(t.Context())
		require.NoError(t, err)
		require.Empty(t, origins)
		save := func(id string, kind directory.ApplicationType, change func(*directory.Application)) {
			app := bareApplication(id)
			app.Type, app.CORSOrigins = kind, []string{"https://" + id + ".test", "http://127.0.0.1:3000"}
			change(app)
			saveApplication(t, db, app)
		}

		none := func(*directory.Application) {}
		save("one", directory.SPA, none)
		save("two", directory.SPA, none)
		save("web", directory.Web, none)
		save("disabled", directory.SPA, none)
		save("without", directory.SPA, func(a *directory.Application) { a.CORSOrigins = nil })
		operate(t, db, func(w *sqlstore.Writer) error { return w.DisableApplication(t.Context(), "disabled", later) })
		origins, err = store.Origins(t.Context())
		require.NoError(t, err)
		require.ElementsMatch(t,
			[]string{"https://one.test", "http://127.0.0.1:3000", "https://two.test", "http://127.0.0.1:3000"}, origins)
	})
}
