package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const seed = `tenants:
  - {slug: acme, name: Acme}
applications:
  - {client_id: job, name: Job, type: SERVICE, scope_level: TENANT, tenant: acme, grants: [client_credentials]}
`

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "platform.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestApplySaysWhatItChanged(t *testing.T) {
	for name, environ := range map[string][]string{
		"sqlite":   nil,
		"postgres": {"PLATFORM_DATABASE_URL=" + testkit.PostgresServer(t).EmptyDatabase(t)},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, environ...)
			file := writeFile(t, seed)
			require.Contains(t, d.failed("apply", "-f", file), "run `platform migrate`")
			d.done("migrate")
			require.Contains(t, d.done("apply", "-f", file, "--dry-run"),
				"2 changed, 0 unchanged: dry run, nothing was changed\n")

			out := d.done("apply", "-f", file)
			require.Regexp(t, `created +tenant +acme`, out)
			require.Regexp(t, `created +application +job`, out)
			require.Regexp(t, `client secret of job, shown only this once: \S{40,}\n`, out)
			require.Equal(t, "0 changed, 2 unchanged: applied\n", d.done("apply", "-f", file))

			var report manifest.Report
			d.in = strings.Replace(seed, "name: Job", "name: Night", 1)
			d.json(&report, "apply", "-f", "-")
			require.Equal(t,
				[]manifest.Change{{Action: "updated", Kind: "application", Name: "job", Fields: []string{"name"}}},
				report.Changes)
			require.Contains(t, d.done("apply", "-f", "-"), "0 changed")
			d.in = "applications: []"
			require.Regexp(t, `disabled +application +job`, d.done("apply", "-f", "-", "--prune=1"))
		})
	}
}

// What a command changed since the last apply is kept, reported, and shows in the exit code.
func TestAConflictIsInTheOutputAndTheExitCode(t *testing.T) {
	d := newDesk(t)
	d.done("migrate")
	first, second := strings.Repeat("s", 40), strings.Repeat("n", 40)
	d.in = strings.Replace(seed, "grants:", "client_secret: "+first+", grants:", 1)
	d.done("apply", "-f", "-")
	d.done("app", "rotate-secret", "job")
	d.in = strings.Replace(seed, "grants:", "client_secret: "+second+", grants:", 1)

	o := d.run("apply", "-f", "-")
	require.Equal(t, exitConflicts, o.code)
	require.Regexp(t, `conflict +application +job +client_secret: it was set or replaced by something other than apply`, o.out)
	require.Contains(t, o.out, "0 changed, 2 unchanged: applied")
	require.Contains(t, o.err, "settings changed since the last apply and kept: 1")

	o = d.run("apply", "-f", "-", "--output", "json")
	require.Equal(t, exitConflicts, o.code)
	var report manifest.Report
	require.NoError(t, json.Unmarshal([]byte(o.out), &report))
	require.Equal(t, []manifest.Conflict{{
		Kind:   "application",
		Name:   "job",
		Field:  "client_secret",
		Reason: "it was set or replaced by something other than apply",
	}}, report.Conflicts)

	require.Contains(t, d.done("apply", "-f", "-", "--overrule"), "1 changed, 1 unchanged: applied")
	require.Contains(t, d.wrong("apply", "-f", "-", "--prune=many"), "want the number of removals")
}

func TestApplySaysEverythingThatIsWrongBeforeItOpensAnything(t *testing.T) {
	d := newDesk(t)
	file := writeFile(t, "tenants:\n  - {slug: Acme, name: Acme}\nusers:\n  - {mail: x}\n")
	require.Equal(t, "platform: nothing was applied because of 3 problems:\n"+
		"  "+file+":2: tenants[0].slug: must be 1 to 63 lower-case letters, digits and inner hyphens\n"+
		"  "+file+":4: users[0].email: must be one e-mail address\n"+
		"  "+file+":4: users[0].mail: unknown key\n", d.failed("apply", "-f", file))
	require.NoDirExists(t, d.data)
	d.in = "- x"
	require.Contains(t, d.failed("apply", "-f", "-"), "standard input:1: must be a mapping")
	require.Contains(t, d.failed("apply", "-f", file+".gone"),
		"read the declarative file: open "+file+".gone: no such file or directory")
}

func TestAShortSecretIsForLoopbackOnly(t *testing.T) {
	file := writeFile(t, strings.Replace(seed, "grants:", "client_secret: short, grants:", 1))
	d := newDesk(t)
	d.done("migrate")
	d.done("apply", "-f", file)
	d.environ = append(d.environ, "PLATFORM_PUBLIC_URL=https://id.example.com")
	require.Contains(t, d.failed("apply", "-f", file), "has fewer than 32 characters")
}
