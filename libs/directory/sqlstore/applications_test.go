package sqlstore_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func saveApplication(
	t *testing.T, db *database.DB, app *directory.Application, secrets ...directory.ApplicationSecret,
) {
	t.Helper()
	operate(t, db, func(w *sqlstore.Writer) error {
		return first(
			func() error { return w.SaveApplication(t.Context(), app, start) },
			func() error { return w.SetSecrets(t.Context(), app.ClientID, secrets, start) },
		)
	})
}

func TestAnApplicationIsReadAsSaved(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		store := sqlstore.NewApplications(db)
		off := webApplication("app_off")
		grace := 10 * time.Second
		off.RefreshGrace = &grace

		for _, want := range []*directory.Application{fullApplication(), bareApplication("app_bare"), off} {
			saveApplication(t, db, want)
			got, err := store.Application(t.Context(), want.ClientID)
			require.NoError(t, err)
			requireApplication(t, want, got)
		}

		for _, id := range []string{"app_none", "", "APP_FULL"} {
			_, err := store.Application(t.Context(), id)
			require.ErrorIs(t, err, directory.ErrNotFound)
		}

		operate(t, db, func(w *sqlstore.Writer) error { return w.DisableApplication(t.Context(), "app_bare", later) })
		got, err := store.Application(t.Context(), "app_bare")
		require.NoError(t, err)
		require.False(t, got.Active)
	})
}

// A field that fullApplication leaves empty would be read as saved although no column has it.
func TestTheFullApplicationHasEveryField(t *testing.T) {
	full := reflect.ValueOf(*fullApplication())
	for _, field := range reflect.VisibleFields(full.Type()) {
		if field.Name != "Secrets" { // saved and read apart
			require.False(t, full.FieldByIndex(field.Index).IsZero(), field.Name)
		}
	}
}

func TestEachFieldOfAnApplicationIsSavedApart(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.NewApplications(db)
		for name, set := range map[string]func(a *directory.Application){
			"first party":   func(a *directory.Application) { a.FirstParty = true },
			"localhost":     func(a *directory.Application) { a.AllowLocalhostRedirect = true },
			"claims":        func(a *directory.Application) { a.IDTokenClaims = true },
			"device":        func(a *directory.Application) { a.DeviceRequiresAuth = true },
			"assertions":    func(a *directory.Application) { a.TokenEndpointAudience = true },
			"access":        func(a *directory.Application) { a.AccessTokenTTL = time.Second },
			"refresh":       func(a *directory.Application) { a.RefreshTokenTTL = time.Second },
			"idle":          func(a *directory.Application) { a.RefreshIdleTTL = time.Second },
			"redirect":      func(a *directory.Application) { a.RedirectURIs = []string{"com.example.app:/cb"} },
			"after logout":  func(a *directory.Application) { a.PostLogoutRedirectURIs = []string{"https://a.test/?x=1&y"} },
			"audiences":     func(a *directory.Application) { a.Audiences = []string{"a"} },
			"served":        func(a *directory.Application) { a.ResourcesServed = []string{"a"} },
			"origins":       func(a *directory.Application) { a.CORSOrigins = []string{"https://a.test"} },
			"scopes":        func(a *directory.Application) { a.Scopes = oauth.Scopes{"b", "a"} },
			"grants":        func(a *directory.Application) { a.Grants = []oauth.GrantType{oauth.GrantTokenExchange} },
			"access alg":    func(a *directory.Application) { a.AccessTokenAlg = "ES256" },
			"id token alg":  func(a *directory.Application) { a.IDTokenAlg = "ES256" },
			"nothing again": func(*directory.Application) {},
		} {
			want := webApplication("app_1")
			set(want)
			saveApplication(t, db, want)
			got, err := store.Application(t.Context(), "app_1")
			require.NoError(t, err, name)
			require.Equal(t, want, got, name)
		}
	})
}

func TestOnlyThoseWhoAskForSecretsReadThem(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		secrets := []directory.ApplicationSecret{
			{ID: "sec_b", Hash: oauth.HashSecret("b"), ExpiresAt: later},
			{ID: "sec_a", Hash: []byte{0, 0xff, '\''}},
		}
		saveApplication(t, db, webApplication("app_web"), secrets...)
		saveApplication(t, db, webApplication("app_none"))
		public := bareApplication("app_spa")
		public.Type = directory.SPA
		saveApplication(t, db, public, directory.ApplicationSecret{ID: "sec_c", Hash: []byte("c")})

		with, without := sqlstore.NewApplicationsWithSecrets(db), sqlstore.NewApplications(db)
		for id, want := range map[string][]directory.ApplicationSecret{
			"app_web":  {secrets[1], secrets[0]}, // as old as each other: by id
			"app_none": nil,
			"app_spa":  nil, // a public application has none, whatever the table says
		} {
			app, err := with.Application(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, want, app.Secrets, id)
			app, err = without.Application(t.Context(), id)
			require.NoError(t, err)
			require.Nil(t, app.Secrets)
		}

		_, err := with.Application(t.Context(), "app_unknown")
		require.ErrorIs(t, err, directory.ErrNotFound)
	})
}

func TestApplicationsHearThatTheirCallerWentAway(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		saveApplication(t, db, bareApplication("app_1"))
		requireCanceled(t, map[string]func(context.Context) error{
			"without secrets": func(ctx context.Context) error {
				_, err := sqlstore.NewApplications(db).Application(ctx, "app_1")
				return err
			},
			"with secrets": func(ctx context.Context) error {
				_, err := sqlstore.NewApplicationsWithSecrets(db).Application(ctx, "app_1")
				return err
			},
		})
	})
}
