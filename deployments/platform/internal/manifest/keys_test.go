package manifest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestAnApplicationWithKeysOfItsOwnKeepsNoSecret(t *testing.T) {
	const app = "applications:\n  - client_id: app\n    name: App\n    type: SERVICE\n    scope_level: GLOBAL\n    grants: [client_credentials]\n"
	// The key of RFC 8037 appendix A.2.
	const jwks = "    jwks: {keys: [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo, kid: one, use: sig}]}\n"
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		require.Len(t, o.apply(app).Secrets, 1, "without keys one is generated")
		require.Len(t, o.state().Applications[0].Secrets, 1)

		report := o.apply(app + jwks)
		require.Empty(t, report.Secrets)
		require.Equal(t, []string{"jwks", "client_secret"}, report.Changes[0].Fields)
		got := o.state().Applications[0]
		require.Empty(t, got.Secrets)
		set, err := clientauth.ParseKeySet(got.JWKS)
		require.NoError(t, err)
		require.Equal(t, 1, set.Len())
		require.Empty(t, changes(o.apply(app+jwks)), "however the database writes JSON")

		report = o.apply(app + jwks + "    token_endpoint_audience: true\n")
		require.Equal(t, []string{"token_endpoint_audience"}, report.Changes[0].Fields)
		require.True(t, o.state().Applications[0].TokenEndpointAudience)
		o.apply(app + jwks)

		report = o.apply(app + "    jwks_uri: https://app.test/jwks\n")
		require.Equal(t, []string{"jwks", "jwks_uri"}, report.Changes[0].Fields)
		got = o.state().Applications[0]
		require.Nil(t, got.JWKS)
		require.Equal(t, "https://app.test/jwks", got.JWKSURI)
		require.Len(t, o.apply(app).Secrets, 1, "and without keys a secret again")
	})
}
