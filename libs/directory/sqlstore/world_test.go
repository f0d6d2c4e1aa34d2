package sqlstore_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// elsewhere is start as a server in another zone might say it, with nanoseconds
// that no column keeps.
var elsewhere = start.Add(789 * time.Nanosecond).In(time.FixedZone("UTC+5:30", 19800))

var (
	acme = directory.Tenant{
		ID:     "tnt_acme",
		Slug:   "acme",
		Name:   "Acme",
		Active: true,
	}
	bolt = directory.Tenant{
		ID:      "tnt_bolt",
		Slug:    "bolt",
		Name:    "Bolt \"&\" Söhne",
		SSOOnly: true,
		Active:  true,
	}
	ada = directory.User{
		ID:            "usr_ada",
		Email:         "ada@acme.test",
		EmailVerified: true,
		Name:          "Ada Lovelace",
		GivenName:     "Ada",
		FamilyName:    "Lovelace",
		Claims:        map[string]any{"locale": "en", "address": map[string]any{"country": "GB"}},
		Active:        true,
		UpdatedAt:     start,
	}
	bob = directory.User{
		ID:        "usr_bob",
		Email:     "bob@acme.test",
		Claims:    map[string]any{},
		Active:    true,
		UpdatedAt: start,
	}
)

func fullApplication() *directory.Application {
	grace := time.Duration(0)
	return &directory.Application{
		ClientID:               "app_full",
		Name:                   "Full",
		Type:                   directory.Web,
		ScopeLevel:             directory.TenantScoped,
		TenantID:               acme.ID,
		RedirectURIs:           []string{"https://app.test/cb?a=1&b=2", "https://app.test/two"},
		PostLogoutRedirectURIs: []string{"https://app.test/bye"},
		BackchannelLogoutURI:   "https://app.test/backchannel",
		Grants:                 []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		Scopes:                 oauth.Scopes{"openid", "email"},
		Audiences:              []string{"https://api.test"},
		DefaultAudience:        "https://api.test",
		ResourcesServed:        []string{"https://served.test"},
		FirstParty:             true,
		AllowLocalhostRedirect: true,
		IDTokenClaims:          true,
		DeviceRequiresAuth:     true,
		TokenEndpointAudience:  true,
		AccessTokenAlg:         "EdDSA",
		IDTokenAlg:             "PS256",
		AccessTokenTTL:         90 * time.Second,
		RefreshTokenTTL:        1440 * time.Hour,
		RefreshIdleTTL:         time.Microsecond,
		RefreshGrace:           &grace,
		CORSOrigins:            []string{"https://app.test"},
		JWKS:                   json.RawMessage(`{"keys": []}`),
		JWKSURI:                "https://app.test/jwks",
		Active:                 true,
		AllowUndottedSchemes:   true,
		Development:            true,
		InitiateLoginURI:       "https://app.test/login",
	}
}

func bareApplication(clientID string) *directory.Application {
	return &directory.Application{
		ClientID:               clientID,
		Name:                   "Bare",
		Type:                   directory.Native,
		ScopeLevel:             directory.Global,
		RedirectURIs:           []string{},
		PostLogoutRedirectURIs: []string{},
		Grants:                 []oauth.GrantType{},
		Scopes:                 oauth.Scopes{},
		Audiences:              []string{},
		ResourcesServed:        []string{},
		CORSOrigins:            []string{},
		Active:                 true,
	}
}

func secret(id string) directory.ApplicationSecret {
	return directory.ApplicationSecret{ID: id, Hash: oauth.HashSecret(id)}
}

func operate(t *testing.T, db *database.DB, f func(w *sqlstore.Writer) error) {
	t.Helper()
	require.NoError(t, sqlstore.NewOperator(db).Tx(t.Context(), f))
}

// seed makes two tenants and two people, ada with a password in both tenants.
func seed(t *testing.T, db *database.DB) {
	t.Helper()
	ctx := t.Context()
	operate(t, db, func(w *sqlstore.Writer) error {
		require.NoError(t, w.SaveTenant(ctx, bolt, []string{"bolt.test"}, start))
		require.NoError(t, w.SaveTenant(ctx, acme, []string{"acme.test", "acme.example"}, start))
		require.NoError(t, w.SaveUser(ctx, ada, []string{acme.ID, bolt.ID}, start))
		require.NoError(t, w.SaveUser(ctx, bob, nil, start))
		return w.SetPassword(ctx, ada.ID, "$hash$1", start)
	})
}

// everything is what an operator's listings show.
type everything struct {
	Tenants      []sqlstore.TenantRecord
	Users        []sqlstore.UserRecord
	Applications []*directory.Application
}

func list(t *testing.T, db *database.DB) (all everything) {
	t.Helper()
	operate(t, db, func(w *sqlstore.Writer) (err error) {
		all.Tenants, err = w.Tenants(t.Context())
		require.NoError(t, err)
		all.Users, err = w.Users(t.Context())
		require.NoError(t, err)
		all.Applications, err = w.Applications(t.Context())
		return err
	})

	return all
}

// requireCanceled calls with a context that is over: each call says so, and that
// it is worth another try.
func requireCanceled(t *testing.T, calls map[string]func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	for name, call := range calls {
		err := call(ctx)
		require.ErrorIs(t, err, context.Canceled, name)
		var u interface{ Unavailable() bool }
		require.ErrorAs(t, err, &u, name)
		require.True(t, u.Unavailable(), name)
	}
}
