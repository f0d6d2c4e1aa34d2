//go:build linux

package cli

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The chart's job has 256 MiB. Half of it is enough for this file of 30 MiB, in which
// each person has a password hash.
func TestAHundredThousandPeopleFitInto128MiB(t *testing.T) {
	// Without the race detector, which the tests may run with and which takes several
	// times the memory.
	binary := filepath.Join(t.TempDir(), "platform")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "nomsgpack", "-o", binary, "../..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	said, err := build.CombinedOutput()
	require.NoError(t, err, string(said))

	d := newDesk(t)
	d.done("migrate")
	file := filepath.Join(t.TempDir(), "platform.yaml")
	writeCrowd(t, file, 100_000)

	command := exec.CommandContext(t.Context(), binary, "apply", "-f", file, "--dry-run")
	command.Env = append(os.Environ(), d.environ...)
	var out, failed output
	command.Stdout, command.Stderr = &out, &failed
	require.NoError(t, command.Run(), failed.String())
	require.Contains(t, out.String(), "100001 changed, 0 unchanged")

	usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	t.Logf("resident at most: %d MiB", usage.Maxrss>>10)
	require.Less(t, usage.Maxrss>>10, int64(128))
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
