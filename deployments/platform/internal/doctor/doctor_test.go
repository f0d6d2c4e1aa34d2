package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/doctor"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// patient is a configuration whose public URL doesn't answer. The command's tests check
// the ingress with a running platform.
func patient(t *testing.T, environ map[string]string) doctor.Patient {
	t.Helper()
	var cfg struct {
		Server   config.Server
		Database config.Database
		Signing  config.Signing
	}

	values := map[string]string{"PLATFORM_PUBLIC_URL": "http://127.0.0.1:1", "PLATFORM_SIGNING_BACKEND": "local"}
	maps.Copy(values, environ)
	require.NoError(t, config.Load(&cfg, config.LoadOptions{Overrides: values}))

	return doctor.Patient{
		Server:   cfg.Server,
		Database: cfg.Database,
		Signing:  cfg.Signing,
		Deps:     servicekit.Deps{Logger: testkit.Logger(t), Now: servicekit.Clock},
		Open: func(ctx context.Context) (*database.DB, error) {
			return database.Open(ctx, database.Options{URL: cfg.Database.URL})
		},
	}
}

// examine returns a check's finding: "ok", or the level and the text.
func examine(t *testing.T, p doctor.Patient, check string) string {
	t.Helper()
	var said []string
	for _, f := range doctor.Examine(t.Context(), p) {
		switch {
		case f.Check != check:
		case f.Result == doctor.OK:
			said = append(said, "ok")
		default:
			said = append(said, string(f.Result)+" "+f.Finding)
		}
	}

	return strings.Join(said, "\n")
}

func TestClocksThatDifferAreSeen(t *testing.T) {
	postgres, bao := testkit.PostgresServer(t), testkit.OpenBao(t)
	p := patient(t, map[string]string{
		"PLATFORM_DATABASE_URL":    postgres.NewDatabase(t),
		"PLATFORM_SIGNING_BACKEND": "vault",
		"VAULT_ADDR":               bao.Addr,
		"VAULT_TOKEN":              "any",
	})
	for off, want := range map[time.Duration]string{
		0:                "ok",
		5 * time.Second:  "warn",
		-5 * time.Second: "warn",
		-time.Minute:     "fail",
		time.Hour:        "fail",
	} {
		p.Deps.Now = func() time.Time { return servicekit.Clock().Add(off) }
		findings := doctor.Examine(t.Context(), p)
		for _, check := range []string{"clock.database", "clock.vault"} {
			i := slices.IndexFunc(findings, func(f doctor.Finding) bool { return f.Check == check })
			require.EqualValues(t, want, findings[i].Result, "%s %s: %s", check, off, findings[i].Finding)
		}
	}
}

func TestADatabaseThatDoesNotFitIsSeen(t *testing.T) {
	server := testkit.PostgresServer(t)
	fresh := patient(t, map[string]string{"PLATFORM_DATABASE_URL": server.EmptyDatabase(t)})
	require.Contains(t, examine(t, fresh, "database"), "fail PostgreSQL at 127.0.0.1")
	owner := server.NewDatabase(t)
	p := patient(t, map[string]string{"PLATFORM_DATABASE_URL": owner})
	require.Equal(t, "ok", examine(t, p, "database.rights"))
	db := testkit.OpenPostgres(t, owner)
	for _, statement := range []string{
		`REVOKE INSERT ON audit_events FROM platform_keys`, `GRANT SELECT ON credentials TO platform_token`,
		`CREATE ROLE stranger LOGIN PASSWORD 'x'`,
		`GRANT SELECT ON goose_db_version, signing_keys, applications TO stranger`,
	} {
		_, err := db.Exec(t.Context(), "test.change", statement)
		require.NoError(t, err)
	}

	require.Equal(t,
		"fail missing privilege: platform_keys: INSERT on audit_events\nwarn unneeded privilege: platform_token: SELECT on credentials", examine(
			t, p, "database.rights"))
	p.Service = "device"
	require.Equal(t, "ok", examine(t, p, "database.rights"), "of its own only")
	require.Contains(t, examine(t, p, "database.login"), "warn postgres owns the tables")
	token := patient(t, map[string]string{"PLATFORM_DATABASE_URL": server.LoginURL(t, owner, "platform_token")})
	token.Service = "token"
	require.Equal(t, "ok", examine(t, token, "database.login"))
	u, err := url.Parse(owner)
	require.NoError(t, err)
	u.User = url.UserPassword("stranger", "x")
	require.Contains(t,
		examine(t, patient(t, map[string]string{"PLATFORM_DATABASE_URL": u.String()}), "database.login"),
		"stranger has no service's rights")

	_, err = db.Exec(t.Context(), "test.change", `DROP OWNED BY stranger; DROP ROLE stranger`)
	require.NoError(t, err)

	gone := patient(t, map[string]string{"PLATFORM_DATABASE_URL": "postgres://127.0.0.1:1/none"})
	require.Contains(t, examine(t, gone, "database"), "fail can't open the database")
}

func TestAVaultThatIsAwayIsSeen(t *testing.T) {
	bao := testkit.OpenBao(t)
	p := patient(t, map[string]string{
		"PLATFORM_DATABASE_URL":    "postgres://127.0.0.1:1/none",
		"PLATFORM_SIGNING_BACKEND": "vault",
		"VAULT_ADDR":               bao.Addr,
		"VAULT_TOKEN":              "wrong",
	})

	p.Open = func(context.Context) (*database.DB, error) { return nil, context.Canceled }
	require.Equal(t, "ok", examine(t, p, "vault"))
	require.Contains(t, examine(t, p, "vault.login"), "fail login by token failed: status 403")
	bao.Seal(t)
	require.Contains(t, examine(t, p, "vault"), "is sealed")
	bao.Kill(t)
	require.Contains(t, examine(t, p, "vault"), "does not answer")
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	p.Signing.Vault.Address = other.URL
	require.Contains(t, examine(t, p, "vault"), "does not answer: status 404")
}

func TestATokenThatMayTooMuchOrTooLittleIsSeen(t *testing.T) {
	bao := testkit.OpenBao(t)
	logins := bao.SetUp(t, testkit.BaoSetup{})
	root := bao.Client(t, bao.RootToken)
	owner := testkit.PostgresServer(t).NewDatabase(t)
	with := func(token string) doctor.Patient {
		return patient(t, map[string]string{
			"PLATFORM_DATABASE_URL":    owner,
			"PLATFORM_SIGNING_BACKEND": "vault",
			"VAULT_ADDR":               bao.Addr,
			"VAULT_TOKEN":              token,
		})
	}

	role := func(policy string) string {
		t.Helper()
		require.NoError(t, root.Sys().PutPolicyWithContext(t.Context(), "custom", policy+`
			path "auth/token/lookup-self" { capabilities = ["read"] }
			path "sys/capabilities-self" { capabilities = ["update"] }`))
		secret, err := root.Logical().WriteWithContext(t.Context(), "auth/token/create",
			map[string]any{"policies": []string{"custom", "platform-token"}, "no_default_policy": true})
		require.NoError(t, err)
		return secret.Auth.ClientToken
	}

	require.Contains(t, examine(t, with(bao.RootToken), "vault.login"), "fail the token is a root token")
	require.Equal(t, "fail the token can export platform-es256, which no service may do\nok",
		examine(t, with(role(`path "transit/export/*" { capabilities = ["read"] }`)), "vault.policy"))
	require.Contains(t,
		examine(t,
			with(role(`path "transit/*" { capabilities = ["create", "update", "read", "delete"] }`)), "vault.policy"),
		"fail the token can delete platform-es256, configure platform-es256")
	require.Contains(t,
		examine(t, with(role(`path "transit/sign/platform-rs256" { capabilities = ["deny"] }`)), "vault.policy"),
		"can't sign with platform-rs256, sign with platform-logout-rs256, create platform-es256")
	of := func(service, token string) doctor.Patient {
		p := with(token)
		p.Service = service
		return p
	}

	require.Contains(t,
		examine(t,
			of("session", role(`path "transit/sign/platform-logout-rs256" { capabilities = ["update"] }`)),
			"vault.policy"),
		"fail session must not have a token that can sign with platform-es256, sign with platform-rs256",
		"it could make access tokens")
	require.Contains(t,
		examine(t,
			of("token", role(`path "transit/sign/platform-logout-rs256" { capabilities = ["update"] }`)),
			"vault.policy"),
		"fail token must not have a token that can sign with platform-logout-rs256")
	require.Equal(t, "ok", examine(t, of("session", logins.Token(t, "session")), "vault.policy"))
	secret, err := root.Logical().WriteWithContext(t.Context(), "auth/token/create",
		map[string]any{"policies": []string{"platform-token"}})
	require.NoError(t, err)
	require.Contains(t, examine(t, with(secret.Auth.ClientToken), "vault.login"),
		"warn the token has the policy default")

	// Keys that are in the schedule but not in Vault.
	token := with(logins.Token(t, "token"))
	require.Contains(t, examine(t, token, "vault.sign"), "fail no active key for ES256")
	lost(t, owner)
	require.Contains(t, examine(t, token, "vault.sign"),
		"fail key platform-es256:v3, the active one for ES256, can't sign")
}

// lost adds keys to the schedule that Vault doesn't have.
func lost(t *testing.T, dsn string) {
	t.Helper()
	store := sqlstore.New(testkit.OpenPostgres(t, dsn))
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public := private.Public()
	past := servicekit.Clock().Add(-time.Hour)
	require.NoError(t, store.Insert(t.Context(), signing.Key{
		KID:         signing.Thumbprint(public),
		Algorithm:   signing.ES256,
		Generation:  1,
		Ref:         "platform-es256:v3",
		PublicKey:   public,
		PublishedAt: past,
		ActiveFrom:  past,
	}))
}
