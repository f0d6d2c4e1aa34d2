package doctor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// RFC 8252 7.3 and 8.6: http on loopback is for native applications. The operator must
// notice settings that are meant for development.
func TestApplicationsForADevelopersMachineAreSeen(t *testing.T) {
	owner := testkit.PostgresServer(t).NewDatabase(t)
	db := testkit.OpenPostgres(t, owner)
	save := func(app directory.Application) {
		t.Helper()
		app.Name, app.ScopeLevel = app.ClientID, directory.Global
		require.NoError(t, sqlstore.NewOperator(db).Tx(t.Context(), func(w *sqlstore.Writer) error {
			return w.SaveApplication(t.Context(), &app, time.Now().UTC())
		}))
	}

	p := patient(t,
		map[string]string{"PLATFORM_PUBLIC_URL": "https://id.example.invalid", "PLATFORM_DATABASE_URL": owner})

	save(directory.Application{ClientID: "good", Type: directory.Web, RedirectURIs: []string{"https://app.test/cb"}})
	save(directory.Application{ClientID: "tool", Type: directory.Native, RedirectURIs: []string{"http://127.0.0.1/cb"}})
	require.Equal(t, "ok", examine(t, p, "applications"))

	save(directory.Application{ClientID: "built", Type: directory.SPA, Development: true})
	require.Equal(t, "warn in development, so redirects to http on loopback are allowed: built",
		examine(t, p, "applications"))

	save(directory.Application{
		ClientID:     "old",
		Type:         directory.Web,
		RedirectURIs: []string{"HTTP://localhost:3000/cb"},
	})
	require.Contains(t, examine(t, p, "applications"), "fail sign-in fails for old: only NATIVE applications")
}
