package manifest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestADomainMovesBetweenTenantsOfOneFile(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		o.apply("tenants:\n  - {slug: a, name: A, domains: [one.test, two.test]}\n  - {slug: b, name: B, domains: [three.test]}")
		swapped := "tenants:\n  - {slug: a, name: A, domains: [three.test, one.test]}\n  - {slug: b, name: B, domains: [two.test]}"
		require.Equal(t, []string{"updated tenant a domains", "updated tenant b domains"}, changes(o.apply(swapped)))
		require.Equal(t, []string{"one.test", "three.test"}, o.state().Tenants[0].Domains)
		require.Equal(t, []string{"two.test"}, o.state().Tenants[1].Domains)
		require.Empty(t, changes(o.apply(swapped)))
	})
}

func TestADomainOfATenantOutsideTheFileIsRefused(t *testing.T) {
	o := newOperator(t, testkit.SQLite(t))
	o.apply("tenants:\n  - {slug: a, name: A, domains: [one.test]}")
	before := o.state()
	text := "users:\n  - {email: x@b.test, tenants: [gone]}\ntenants:\n  - slug: b\n    name: B\n    domains:\n      - two.test\n      - one.test"
	for _, options := range [][]func(*manifest.ApplyOptions){nil, {prune}} {
		require.Equal(t, "nothing was applied because of 2 problems:\n"+
			"  platform.yaml:2: users[0].tenants[0]: there is no active tenant \"gone\", in the file or in the database\n"+
			"  platform.yaml:8: tenants[0].domains[1]: \"one.test\" belongs to tenant \"a\": list that tenant too, without the domain", o.refused(
			text, options...))
	}

	require.Equal(t, before, o.state())
}

func TestAFileMayReferToTenantsOfTheDatabase(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		o.apply("tenants:\n  - {slug: a, name: A}\n  - {slug: b, name: B}")
		text := "users:\n  - {email: x@a.test, tenants: [b, a]}\napplications:\n  - {client_id: app, name: App, type: SPA, scope_level: TENANT, tenant: a}"
		require.Equal(t, []string{"created user x@a.test", "created application app"}, changes(o.apply(text)))
		require.Empty(t, changes(o.apply(text)), "whatever the order of the tenants")
		s := o.state()
		require.Len(t, s.Users[0].TenantIDs, 2)
		require.Equal(t, s.Tenants[0].ID, s.Applications[0].TenantID)

		const noB = `users[0].tenants[0]: there is no active tenant "b"`
		require.Contains(t, o.refused("tenants:\n  - {slug: a, name: A}\n"+text, prune), noB,
			"--prune would disable it")
		o.apply("tenants:\n  - {slug: a, name: A}", prune)
		require.Contains(t, o.refused(text), "platform.yaml:2: "+noB, "it is disabled")
	})
}

func TestMembershipsAreComparedWhateverTheDatabaseSortsThemBy(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		text := "users:\n  - {email: x@a.test, tenants: [b, a, d, c]}\n"
		// A database's collation may put b before C; bytes do not.
		require.NoError(t, sqlstore.NewOperator(db).Tx(t.Context(), func(w *sqlstore.Writer) error {
			for slug, id := range map[string]string{"a": "tnt_b", "b": "tnt_C", "c": "tnt_-d", "d": "tnt__A"} {
				if err := w.SaveTenant(t.Context(), directory.Tenant{ID: id, Slug: slug, Name: slug}, nil,
					o.clock.Now()); err != nil {
					return err
				}
			}
			return nil
		}))

		o.apply(text)
		require.Empty(t, changes(o.apply(text)))
	})
}

const service = "applications:\n  - {client_id: job, name: Job, type: SERVICE, scope_level: GLOBAL, grants: [client_credentials]"

func TestASecretIsGeneratedOnceAndKept(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		report := o.apply(service + "}")
		require.Len(t, report.Secrets, 1)
		require.Equal(t, "job", report.Secrets[0].ClientID)
		hash := sha256.Sum256([]byte(report.Secrets[0].Secret))
		require.Equal(t, hash[:], o.state().Applications[0].Secrets[0].Hash)
		kept := o.state()
		require.Empty(t, o.apply(service+"}").Secrets)
		require.Equal(t, kept, o.state())
		o.apply(service + ", first_party: true}")
		require.Equal(t, kept.Applications[0].Secrets, o.state().Applications[0].Secrets,
			"another change leaves it alone")
	})
}

func TestWhereASecretComesFrom(t *testing.T) {
	o := newOperator(t, testkit.SQLite(t))
	path := filepath.Join(t.TempDir(), "secret")
	secret := strings.Repeat("s", 40)
	require.NoError(t, os.WriteFile(path, []byte(secret+"\n"), 0o600))
	hash := sha256.Sum256([]byte(secret))
	require.Equal(t, []string{"created application job"}, changes(o.apply(service+", client_secret_file: "+path+"}")))
	require.Equal(t, hash[:], o.state().Applications[0].Secrets[0].Hash)
	require.Empty(t, changes(o.apply(service+", client_secret: "+secret+"}")), "the same secret")
	require.Empty(t,
		changes(o.apply(service+", client_secret_hash: sha256:"+hex.EncodeToString(hash[:])+"}")), "the same secret")
	require.Equal(t, []string{"updated application job client_secret"},
		changes(o.apply(service+", client_secret: "+strings.Repeat("t", 40)+"}")))
	require.Len(t, o.state().Applications[0].Secrets, 1, "the file's is the only one")
	require.Equal(t, []string{"updated application job type, grants, client_secret"},
		changes(o.apply("applications:\n  - {client_id: job, name: Job, type: SPA, scope_level: GLOBAL}")))
	require.Empty(t, o.state().Applications[0].Secrets, "a public application keeps none")
	require.Len(t, o.apply(service+"}").Secrets, 1)
}

func TestAnApplicationWhoseSecretsHaveEndedIsGivenOne(t *testing.T) {
	o := newOperator(t, testkit.SQLite(t))
	o.apply(service + "}")
	kept := o.state().Applications[0].Secrets
	ending := func(at time.Time) {
		kept[0].ExpiresAt = at
		require.NoError(t, sqlstore.NewOperator(o.db).Tx(t.Context(), func(w *sqlstore.Writer) error {
			return w.SetSecrets(t.Context(), "job", kept, o.clock.Now())
		}))
	}

	ending(o.clock.Now().Add(24 * time.Hour))
	require.Empty(t, o.apply(service+"}").Secrets, "it still opens")
	ending(o.clock.Now())
	require.Len(t, o.apply(service+"}").Secrets, 1)
}

func TestAPasswordHashIsTakenAsItStands(t *testing.T) {
	o := newOperator(t, testkit.SQLite(t))
	const user = "users:\n  - email: ada@acme.test\n"
	hasher, err := password.New(password.Options{Params: password.Params{Memory: 64, Time: 1, Threads: 1}})
	require.NoError(t, err)
	hash, err := hasher.Hash(t.Context(), "secret")
	require.NoError(t, err)
	o.apply(user + "    password_hash: " + hash)
	require.Equal(t, hash, o.state().Users[0].PasswordHash)
	require.Empty(t, changes(o.apply(user+"    password: secret")), "the same password, by its hash")
	require.Empty(t, changes(o.apply(user)), "no password in the file leaves the one there is")
	require.Equal(t, hash, o.state().Users[0].PasswordHash)
	id := o.state().Users[0].ID
	require.NoError(t, sqlstore.NewOperator(o.db).Tx(t.Context(), func(w *sqlstore.Writer) error {
		return w.SetPassword(t.Context(), id, "not a hash", o.clock.Now())
	}))
	require.Equal(t, []string{"updated user ada@acme.test password"}, changes(o.apply(user+"    password: secret")))
}

func TestEveryFieldOfAnApplicationIsKeptAndHasAName(t *testing.T) {
	everything := `
tenants: [{slug: acme, name: Acme}]
applications:
  - client_id: app
    name: App
    type: NATIVE
    scope_level: TENANT
    tenant: acme
    redirect_uris: [https://app.test/cb]
    post_logout_redirect_uris: [https://app.test/bye]
    backchannel_logout_uri: https://app.test/logout
    grants: [authorization_code]
    scopes: [openid]
    audiences: [https://api.test]
    default_audience: https://api.test
    resources_served: [https://api.test]
    first_party: true
    allow_localhost_redirect: true
    allow_undotted_schemes: true
    id_token_claims: true
    device_requires_auth: true
    access_token_alg: EdDSA
    id_token_alg: PS256
    access_token_ttl: 1m
    refresh_token_ttl: 3m
    refresh_idle_ttl: 2m
    refresh_grace: 1s
    cors_origins: [https://app.test]
    development: true
    initiate_login_uri: https://app.test/login
`

	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		o.apply(everything)
		app := reflect.ValueOf(*o.state().Applications[0])
		for i := range app.NumField() {
			switch name := app.Type().Field(i).Name; name {
			case "Secrets", "JWKS", "JWKSURI", "TokenEndpointAudience": // a public application has none
			default:
				require.False(t, app.Field(i).IsZero(), "the file cannot set %s, or it is not kept", name)
			}
		}

		require.Empty(t, changes(o.apply(everything)))
		report := o.apply("applications:\n  - {client_id: app, name: Other, type: SPA, scope_level: GLOBAL}")
		require.Equal(t, []string{
			"name", "type", "scope_level", "tenant", "redirect_uris", "post_logout_redirect_uris",
			"backchannel_logout_uri", "grants", "scopes",
			"audiences", "default_audience", "resources_served", "first_party", "allow_localhost_redirect",
			"allow_undotted_schemes", "id_token_claims",
			"device_requires_auth", "development", "initiate_login_uri", "access_token_alg", "id_token_alg",
			"access_token_ttl", "refresh_token_ttl", "refresh_idle_ttl",
			"refresh_grace", "cors_origins",
		}, report.Changes[0].Fields)
	})
}
