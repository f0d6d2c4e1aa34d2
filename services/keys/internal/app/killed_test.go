package app_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/ports"
)

// The test starts itself again, as a replica that is killed at the worst moment.
const victimVariable = "PLATFORM_KEYS_VICTIM" // database, time, backend, its folder or address, its token: one a line

// shared is what replicas have in common.
type shared struct {
	database string // a URL, or the path of a file
	signing  config.Signing
	clock    *testkit.Clock
}

func (s shared) String() string {
	return strings.Join([]string{
		s.database, s.clock.Now().Format(time.RFC3339Nano), s.signing.Backend, s.signing.DataDir,
		s.signing.Vault.Address, s.signing.Vault.Token,
	}, "\n")
}

func (s shared) keyFolder() string { return filepath.Join(s.signing.DataDir, "keys") }

func parseShared(t *testing.T, text string) shared {
	t.Helper()
	lines := strings.Split(text, "\n")
	require.Len(t, lines, 6)
	at, err := time.Parse(time.RFC3339Nano, lines[1])
	require.NoError(t, err)
	return shared{lines[0], backend(lines[2], lines[3], lines[4], lines[5]), testkit.NewClock(at)}
}

func backend(name, folder, address, token string) config.Signing {
	return config.Signing{Backend: name, DataDir: folder, Vault: config.Vault{
		Address:      address,
		Auth:         "token",
		Token:        token,
		TransitMount: "transit",
		KeyPrefix:    "platform",
		Timeout:      3 * time.Second,
		RSABatch:     8,
		RSASlots:     4,
		ECBatch:      64,
		ECSlots:      2,
		Queue:        64,
	}}
}

// replica is a process's own world on what is shared.
func (s shared) replica(t *testing.T) *world {
	t.Helper()
	var db *database.DB
	var err error
	if strings.HasPrefix(s.database, "postgres") {
		db, err = database.Open(t.Context(), database.Options{URL: s.database})
	} else {
		db, err = sqlite.Open(t.Context(), s.database, database.Options{})
	}

	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	keys, err := servicekit.OpenSigning(t.Context(), s.signing, servicekit.Deps{Logger: testkit.Logger(t)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })

	if keys.Service != nil {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- keys.Service.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			require.NoError(t, <-done)
		})
		require.Eventually(t, func() bool { return keys.Service.Ready(t.Context()) == nil },
			testkit.Patience, 5*time.Millisecond)
	}

	w := &world{
		store:   sqlstore.New(db),
		clock:   s.clock,
		maker:   keys.Maker,
		backend: keys.Backend,
	}

	w.keeper = w.replica(t, db)
	w.keeper.Policy.Algorithms = []signing.Algorithm{signing.ES256}
	return w
}

// doomed stops for ever between the private key and its row.
type doomed struct{ ports.Schedule }

func (doomed) Insert(context.Context, signing.Key) error {
	_, _ = os.Stdout.WriteString("made\n")
	select {}
}

func TestAReplicaThatIsKilledBetweenKeyAndRowLeavesOneKeyAGeneration(t *testing.T) {
	if text := os.Getenv(victimVariable); text != "" {
		w := parseShared(t, text).replica(t)
		w.keeper.Schedule = doomed{w.store}
		_ = w.keeper.Ensure(t.Context())
		return
	}

	bao := testkit.OpenBao(t)
	logins := bao.SetUp(t, testkit.BaoSetup{})
	for on, database := range map[string]func(t *testing.T) string{
		"sqlite": func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "platform.db")
			db, err := sqlite.Open(t.Context(), path, database.Options{})
			require.NoError(t, err)
			_, _, err = database.Migrate(t.Context(), db, nil)
			require.NoError(t, err)
			require.NoError(t, db.Close())
			return path
		},
		"postgres": func(t *testing.T) string {
			server := testkit.PostgresServer(t)
			return server.LoginURL(t, server.NewDatabase(t), "platform_keys")
		},
	} {
		t.Run(on+" and local keys", func(t *testing.T) {
			s := shared{database(t), backend("local", t.TempDir(), "", ""), testkit.NewClock(start)}
			killed(t, s, s.replica(t).backend,
				func(_, inUse int) { require.Len(t, files(t, s.keyFolder()), inUse, "a file a key") })
		})

		if on == "postgres" {
			t.Run(on+" and Vault", func(t *testing.T) {
				s := shared{
					database(t),
					backend("vault", t.TempDir(), bao.Addr, logins.Token(t, "keys")), testkit.NewClock(start),
				}
				signs := shared{s.database, backend("vault", "", bao.Addr, logins.Token(t, "token")), s.clock}
				killed(t, s, signs.replica(t).backend, func(made, _ int) {
					secret, err := bao.Client(t, bao.RootToken).Logical().ReadWithContext(t.Context(),
						"transit/keys/platform-es256")
					require.NoError(t, err)
					require.Len(t, secret.Data["keys"], made, "a version a key")
				})
			})
		}
	}
}

// killed lives through three generations. In each, one of two replicas is killed
// at the worst moment; it starts again while the other one looks for itself.
func killed(t *testing.T, s shared, token signing.Backend, leaves func(made, inUse int)) {
	survivor := s.replica(t)
	for generation := 1; generation <= 3; generation++ {
		kill(t, s)
		restarted := s.replica(t)
		errs := make([]error, 2)
		var both sync.WaitGroup
		for i, w := range []*world{survivor, restarted} {
			both.Go(func() { errs[i] = w.keeper.Ensure(t.Context()) })
		}

		both.Wait()
		require.NoError(t, errors.Join(errs...))

		keys := survivor.keys(t)
		require.Equal(t, generation, keys[len(keys)-1].Generation)
		require.Len(t, keys, min(generation, 2),
			"at most one key a generation; the first has been forgotten by the third")
		leaves(generation, len(keys)-len(quick.Silent(keys, s.clock.Now())))

		for _, key := range keys {
			_, err := token.Sign(t.Context(), key, []byte("input"))
			require.NoError(t, err, "every key of the schedule signs")
		}

		s.clock.Advance(quick.PublishAhead + quick.Rotation)
	}
}

// kill starts a replica and kills it when it has made a private key.
func kill(t *testing.T, s shared) {
	t.Helper()
	victim := exec.CommandContext(t.Context(), os.Args[0],
		"-test.run=^TestAReplicaThatIsKilledBetweenKeyAndRowLeavesOneKeyAGeneration$")
	victim.Env = append(os.Environ(), victimVariable+"="+s.String())
	out, err := victim.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, victim.Start())
	lines, said := bufio.NewScanner(out), ""
	for said != "made" && lines.Scan() {
		said = lines.Text()
	}

	require.Equal(t, "made", said)
	require.NoError(t, victim.Process.Kill())
	require.Error(t, victim.Wait())
	long := time.Now().Add(-time.Hour) // nothing waits for what is left behind
	for _, name := range files(t, s.keyFolder()) {
		require.NoError(t, os.Chtimes(name, long, long))
	}
}

// files are those of the local keys.
func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	return names
}
