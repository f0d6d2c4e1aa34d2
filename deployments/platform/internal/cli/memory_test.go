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

	d := newDesk(t)
	d.done("migrate")
	file := filepath.Join(t.TempDir(), "platform.yaml")
	writeCrowd(t, file, 100_000)

	command := exec.CommandContext(t.Context(), filepath.Join(programs, "peak"),
		filepath.Join(programs, "platform"), "apply", "-f", file, "--dry-run")
	command.Env = append(os.Environ(), d.environ...)
	var out, failed output
	command.Stdout, command.Stderr = &out, &failed
	require.NoError(t, command.Run(), failed.String())
	require.Contains(t, out.String(), "100001 changed, 0 unchanged")

	lines := strings.Split(strings.TrimSpace(failed.String()), "\n")
	peak, err := strconv.Atoi(lines[len(lines)-1])
	require.NoError(t, err, failed.String())
	t.Logf("resident at most: %d MiB", peak>>10)
	require.Less(t, peak>>10, 128)
	require.Greater(t, peak>>10, 10, "or it was not the command's")
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
