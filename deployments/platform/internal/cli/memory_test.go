//go:build linux

package cli

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// The chart's job has 256 MiB. Half of it is enough for this file of 30 MiB, in which
// each person has a password hash.
func TestAHundredThousandPeopleFitInto128MiB(t *testing.T) {
	// Without the race detector, which the tests may run with and which takes several
	// times the memory.
	programs := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "nomsgpack", "-o", programs,
		"../..", "./testdata/peak")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	said, err := build.CombinedOutput()
	require.NoError(t, err, string(said))

	many, some := filepath.Join(t.TempDir(), "many.yaml"), filepath.Join(t.TempDir(), "some.yaml")
	writeCrowd(t, many, 100_000)
	writeCrowd(t, some, 10_000)

	for name, d := range map[string]*desk{
		"sqlite":   newDesk(t),
		"postgres": newDesk(t, "PLATFORM_DATABASE_URL="+testkit.PostgresServer(t).EmptyDatabase(t)),
	} {
		t.Run(name, func(t *testing.T) {
			d.t = t
			d.done("migrate")
			require.Less(t, peak(t, programs, d, "100001 changed", "apply", "-f", many, "--dry-run"), 128)
			// A real apply of all of them takes minutes, so this takes a tenth.
			require.Less(t, peak(t, programs, d, "10001 changed", "apply", "-f", some), 128)
		})
	}
}

// peak runs a command of platform, which says what it changed, and returns the most memory that
// it had resident, in MiB.
func peak(t *testing.T, programs string, d *desk, says string, args ...string) int {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(programs, "peak"),
		append([]string{filepath.Join(programs, "platform")}, args...)...)
	command.Env = append(os.Environ(), d.environ...)
	var out, failed output
	command.Stdout, command.Stderr = &out, &failed
	require.NoError(t, command.Run(), failed.String())
	require.Contains(t, out.String(), says+", 0 unchanged")

	lines := strings.Split(strings.TrimSpace(failed.String()), "\n")
	kib, err := strconv.Atoi(lines[len(lines)-1])
	require.NoError(t, err, failed.String())
	t.Logf("%v: resident at most: %d MiB", args, kib>>10)
	require.Greater(t, kib>>10, 10, "or it was not the command's")
	return kib >> 10
}

func writeCrowd(t *testing.T, file string, n int) {
	t.Helper()
	f, err := os.Create(file)
	require.NoError(t, err)
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "tenants:\n  - {slug: acme, name: Acme}\nusers:")

	for i := range n {
		fmt.Fprintf(w, `  - email: person%d@acme.test
    name: Person %[1]d
    given_name: Person
    family_name: Number %[1]d
    email_verified: true
    password_hash: $argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc
    tenants: [acme]
    claims: {locale: en-GB}
`, i)
	}

	require.NoError(t, w.Flush())
	require.NoError(t, f.Close())
}
