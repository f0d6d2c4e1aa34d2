package cli

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// asPlatform makes the test binary run as platform with the arguments that follow, so
// that tests start real processes.
const asPlatform = "TEST_RUNS_THE_PLATFORM"

func TestMain(m *testing.M) {
	if os.Getenv(asPlatform) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		code := Run(ctx, os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Environ())
		stop()
		os.Exit(code)
	}

	os.Exit(m.Run())
}

// process starts a command of the desk in a process of its own.
func (d *desk) process(args ...string) *up {
	d.t.Helper()
	u := &up{
		t:     d.t,
		out:   &output{},
		err:   &output{},
		ended: make(chan int, 1),
	}

	command := exec.Command(os.Args[0], args...)
	command.Env = slices.Concat(d.environ, []string{asPlatform + "=1", "PATH=" + os.Getenv("PATH")})
	command.Stdout, command.Stderr = u.out, u.err
	require.NoError(d.t, command.Start())
	u.stop = func() { _ = command.Process.Signal(syscall.SIGTERM) }
	go func() {
		_ = command.Wait()
		u.ended <- command.ProcessState.ExitCode()
	}()
	d.t.Cleanup(func() { _ = command.Process.Kill() })

	return u
}

func upArgs(t *testing.T, more ...string) []string {
	t.Helper()
	return append([]string{"up", "--listen", testkit.FreeAddr(t), "--admin-listen", testkit.FreeAddr(t)}, more...)
}

// Nothing exists yet: folder, encryption key, database, signing keys, demo credentials.
// One process creates each, and the others wait for it.
func TestProcessesThatStartAtOnceForTheFirstTimeAllBecomeReady(t *testing.T) {
	for round := range 3 {
		d := newDesk(t)
		secrets := map[string]bool{}
		var starts []*up
		for range 3 {
			starts = append(starts, d.process(upArgs(t, "--demo")...))
		}

		for _, u := range starts {
			block := u.ready("demo-service")
			_, secret, _ := strings.Cut(block, "with the secret ")
			secrets[secret] = true
		}

		require.Len(t, secrets, 1, "round %d: they agree", round)

		for _, u := range starts {
			require.Equal(t, exitDone, u.end(), u.err.String())
			require.NotContains(t, u.err.String(), "level=ERROR")
		}
	}
}

func TestMigrationsAtOnceOnPostgreSQLAllSucceed(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.EmptyDatabase(t)
	d := newDesk(t, "PLATFORM_DATABASE_URL="+url)
	var starts []*up
	for range 3 {
		starts = append(starts, d.process("migrate", "--roles"))
	}

	for _, u := range starts {
		require.Equal(t, exitDone, <-u.ended, u.err.String())
	}

	latest, err := database.LatestSchema()
	require.NoError(t, err)
	require.Positive(t, latest)

	starts = nil
	for range 3 { // one data folder: one encryption key, one folder of signing keys
		starts = append(starts, d.process(upArgs(t)...))
	}

	for _, u := range starts {
		u.ready("is ready")
	}

	for _, u := range starts {
		require.Equal(t, exitDone, u.end(), u.err.String())
	}
}
