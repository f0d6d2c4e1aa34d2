package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// faultyWorld is a fleet and what it depends on, where a test can reach it.
type faultyWorld struct {
	s         *system
	vault     *testkit.BaoServer
	onVault   *testkit.Proxy // before it
	server    *testkit.PGServer
	onServer  *testkit.Proxy
	superuser *database.DB // directly
}

func newFaultyWorld(t *testing.T) *faultyWorld {
	t.Helper()
	w := &faultyWorld{vault: testkit.OpenBao(t), server: testkit.OwnPostgresServer(t)}
	logins := w.vault.SetUp(t, testkit.BaoSetup{})
	w.onVault, w.onServer = testkit.NewProxy(t, w.vault.Addr), testkit.NewProxy(t, w.server.URL("postgres"))
	// What is committed must survive a crash of the server, as it does outside tests.
	db, err := database.Open(t.Context(), database.Options{URL: w.server.URL("postgres")})
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), "test.durable", `ALTER ROLE ALL SET synchronous_commit = on`)
	require.NoError(t, err)
	require.NoError(t, db.Close()) // before the server dies

	signing := map[string][]string{"authorize": nil, "device": nil}
	for _, service := range []string{"token", "keys", "session"} {
		role, secret := logins.AppRole(t, service)
		signing[service] = []string{
			"PLATFORM_SIGNING_BACKEND=vault", "VAULT_ADDR=" + w.onVault.URL(t, w.vault.Addr),
			"PLATFORM_VAULT_TIMEOUT=1s",
			"PLATFORM_VAULT_AUTH=approle", "PLATFORM_VAULT_ROLE=" + role, "PLATFORM_VAULT_SECRET_ID=" + secret,
		}
	}

	w.s = deploy(t, fleet{
		server:  w.server,
		through: func(dbURL string) string { return w.onServer.URL(t, dbURL) },
		signing: signing,
		env: []string{
			"PLATFORM_HTTP_REQUEST_DEADLINE=" + faultDeadline.String(),
			"PLATFORM_DATABASE_STATEMENT_TIMEOUT=2s", "PLATFORM_DATABASE_LOCK_TIMEOUT=1s",
			"PLATFORM_DATABASE_MAX_OPEN=4", "PLATFORM_DATABASE_MAX_IDLE=4",
			// Longer than a fault lasts, however busy the machine.
			"PLATFORM_CODE_TTL=10m", "PLATFORM_REFRESH_GRACE=1m",
		},
	})

	w.superuser = w.s.database(t)
	return w
}

func (w *faultyWorld) vaultFaults() []fault {
	var policy string
	return []fault{
		{
			name:       "Vault: sealed",
			fails:      withVault,
			goesOn:     withoutVault,
			dependency: `"vault":"vault: [^"]*sealed`,
			lasts:      2 * time.Second,
			begin:      func(t *testing.T) { w.vault.Seal(t) },
			end:        func(t *testing.T) { w.vault.Unseal(t) },
		},
		{
			name:       "Vault: killed",
			fails:      withVault,
			goesOn:     withoutVault,
			dependency: `"vault":"vault: `,
			lasts:      time.Second,
			begin:      func(t *testing.T) { w.vault.Kill(t) },
			end:        func(t *testing.T) { w.vault.Start(t); w.vault.Unseal(t) },
		},
		{
			name:       "Vault: stopped for 5 s",
			fails:      withVault,
			goesOn:     withoutVault,
			dependency: `"vault":"`,
			lasts:      5 * time.Second,
			begin:      func(t *testing.T) { w.vault.Pause(t) },
			end:        func(t *testing.T) { w.vault.Resume(t) },
		},
		{
			name:       "Vault: answers after 5 s",
			fails:      withVault,
			goesOn:     withoutVault,
			dependency: `"vault":"`,
			lasts:      2 * time.Second,
			begin:      func(*testing.T) { w.onVault.Delay(5 * time.Second) },
			end:        func(*testing.T) { w.onVault.Heal() },
		},
		{
			name: "Vault: token revoked", goesOn: withoutVault,
			begin: func(t *testing.T) { w.revokeTokens(t, "platform-token") },
		},
		{
			name:       "Vault: policy withdrawn",
			fails:      withVault,
			goesOn:     withoutVault,
			dependency: `"vault":"[^"]*denied`,
			lasts:      time.Second,
			begin: func(t *testing.T) {
				sys := w.vault.Client(t, w.vault.RootToken).Sys()
				var err error
				policy, err = sys.GetPolicyWithContext(t.Context(), "platform-token")
				require.NoError(t, err)
				require.NotEmpty(t, policy)
				require.NoError(t,
					sys.PutPolicyWithContext(t.Context(), "platform-token",
						`path "nothing" { capabilities = ["read"] }`))
			},
			end: func(t *testing.T) {
				require.NoError(t,
					w.vault.Client(t, w.vault.RootToken).Sys().PutPolicyWithContext(t.Context(),
						"platform-token", policy))
			},
		},
		{
			// An operator asks for another; nobody makes one unasked, for a key that is
			// gone may be a mount that is.
			name:       "Vault: key deleted",
			fails:      withVault,
			goesOn:     withoutVault,
			dependency: `"vault":"key platform-es256:v1: vault: missing key`,
			lasts:      time.Second,
			begin: func(t *testing.T) {
				transit := w.vault.Client(t, w.vault.RootToken).Logical()
				_, err := transit.WriteWithContext(t.Context(), "transit/keys/platform-es256/config",
					map[string]any{"deletion_allowed": true})
				require.NoError(t, err)
				_, err = transit.DeleteWithContext(t.Context(), "transit/keys/platform-es256")
				require.NoError(t, err)
			},
			end: func(t *testing.T) {
				platform(t, w.s.operator, "key", "rotate", "--algorithm", "ES256", "--now", "--wait", "2m")
			},
		},
	}
}

// revokeTokens revokes every Vault token that has a policy, as an operator does after
// losing trust in a service.
func (w *faultyWorld) revokeTokens(t *testing.T, policy string) {
	t.Helper()
	root := w.vault.Client(t, w.vault.RootToken)
	list, err := root.Logical().ListWithContext(t.Context(), "auth/token/accessors")
	require.NoError(t, err)
	revoked := 0
	for _, accessor := range list.Data["keys"].([]any) {
		secret, err := root.Auth().Token().LookupAccessorWithContext(t.Context(), accessor.(string))
		require.NoError(t, err)
		policies, err := secret.TokenPolicies()
		require.NoError(t, err)
		if slices.Contains(policies, policy) {
			require.NoError(t, root.Auth().Token().RevokeAccessorWithContext(t.Context(), accessor.(string)))
			revoked++
		}
	}

	require.Positive(t, revoked)
}

func (w *faultyWorld) databaseFaults() []fault {
	var release func() // of the lock
	return []fault{
		{
			name:       "PostgreSQL: killed",
			fails:      withDatabase,
			goesOn:     withoutDatabase,
			dependency: `"database":"database.ping: `,
			lasts:      time.Second,
			mayBurn:    true,
			begin:      func(t *testing.T) { w.server.Crash(t) },
			end:        func(t *testing.T) { w.server.Start(t) },
		},
		{
			name:    "PostgreSQL: connections cut once",
			goesOn:  withoutDatabase,
			lasts:   time.Second,
			mayBurn: true,
			begin:   func(*testing.T) { w.onServer.Cut(); w.onServer.Heal() },
		},
		{
			name:       "PostgreSQL: cut off",
			fails:      withDatabase,
			goesOn:     withoutDatabase,
			dependency: `"database":"database.ping: `,
			lasts:      time.Second,
			mayBurn:    true,
			begin:      func(*testing.T) { w.onServer.Cut() },
			end:        func(*testing.T) { w.onServer.Heal() },
		},
		{
			name:       "PostgreSQL: black hole",
			fails:      withDatabase,
			goesOn:     withoutDatabase,
			dependency: `"database":"`,
			slow:       true,
			mayBurn:    true,
			begin:      func(*testing.T) { w.onServer.Hang() },
			end:        func(*testing.T) { w.onServer.Heal() },
		},
		{
			name:       "PostgreSQL: stopped",
			fails:      withDatabase,
			goesOn:     withoutDatabase,
			dependency: `"database":"`,
			slow:       true,
			mayBurn:    true,
			begin:      func(t *testing.T) { w.server.Pause(t) },
			end:        func(t *testing.T) { w.server.Resume(t) },
		},
		{
			// What only reads goes on, so the services stay ready.
			name:    "PostgreSQL: read-only",
			fails:   []string{kindAuthorize, kindCode, kindRefresh},
			goesOn:  append(withoutDatabase, kindUserinfo, kindIntrospect),
			lasts:   time.Second,
			mayBurn: true,
			abrupt:  true,
			begin: func(t *testing.T) {
				w.alter(t, "SET default_transaction_read_only = on")
				w.onServer.Cut()
				w.onServer.Heal()
			},
			end: func(t *testing.T) { w.alter(t, "RESET default_transaction_read_only") },
		},
		{
			name:       "PostgreSQL: no connection left",
			fails:      withDatabase,
			goesOn:     withoutDatabase,
			dependency: `"database":"database.ping: `,
			lasts:      time.Second,
			mayBurn:    true,
			begin:      func(t *testing.T) { w.alter(t, "CONNECTION LIMIT 0"); w.onServer.Cut(); w.onServer.Heal() },
			end:        func(t *testing.T) { w.alter(t, "CONNECTION LIMIT -1") },
		},
		{
			name:   "PostgreSQL: pool full",
			fails:  []string{kindCode, kindRefresh, kindUserinfo, kindIntrospect},
			goesOn: withoutDatabase,
			slow:   true,
			lasts:  2 * time.Second,
			begin:  func(t *testing.T) { release = w.lock(t, "grants") },
			end:    func(*testing.T) { release() },
		},
	}
}

// alter changes the services' database.
func (w *faultyWorld) alter(t *testing.T, what string) {
	t.Helper()
	var name string
	require.NoError(t, w.superuser.Get(t.Context(), "test.name", &name, `SELECT current_database()`))
	_, err := w.superuser.Exec(t.Context(), "test.alter", fmt.Sprintf("ALTER DATABASE %s %s", name, what))
	require.NoError(t, err)
}

// lock locks a table, so that all connections wait for it.
func (w *faultyWorld) lock(t *testing.T, table string) (release func()) {
	t.Helper()
	held, done := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- w.superuser.Tx(t.Context(), "test.lock", func(tx *database.Tx) error {
			_, err := tx.Exec(t.Context(), "test.lock", "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE")
			close(held)
			<-done
			return err
		})
	}()

	<-held

	return func() {
		close(done)
		require.NoError(t, <-ended)
	}
}
