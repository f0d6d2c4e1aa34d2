package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	d := newDesk(t)
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			help := d.done(append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
			require.Contains(t, help, "Examples:\n  "+cmd.CommandPath())
			require.Contains(t, help, "--output")
			require.NotEmpty(t, cmd.Short)
		})

		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				visit(sub)
			}
		}
	}

	visit((&app{streams: Streams{Out: io.Discard}}).root())
	require.Equal(t, d.done("--help"), d.done(), "platform alone helps")

	for _, what := range []string{"user", "app", "tenant"} {
		require.Contains(t, d.done(what, "disable", "--help"), "--overrule", "what brings it back, and what doesn't")
	}

	require.Contains(t, d.done("up", "--help"), "PLATFORM_SESSION_IDLE", "the table of the configuration")
}

func TestWrongUsageNamesTheThingAndTheRemedy(t *testing.T) {
	d := newDesk(t)
	for want, args := range map[string][]string{
		`platform: unknown command "serve", want one of app, apply, audit, demo, doctor, key, migrate, probe, session, tenant, up, user, version: see platform --help`: {"serve"},
		`platform: unknown flag: --migrate; see platform up --help`: {
			"up", "--migrate",
		},
		`platform: platform version takes no arguments, but was given "now"; see platform version --help`: {
			"version", "now",
		},
		`platform: flag needs an argument: 'f' in -f; see platform apply --help`: {
			"apply", "-f",
		},
		`platform: no file to apply: give -f FILE, or -f - for standard input`: {"apply"},
		`platform: --output must be table or json, not "yaml"`: {
			"version", "-o", "yaml",
		},
		`platform: --roles needs PostgreSQL, because SQLite has no roles: leave it out, or set PLATFORM_DATA`: {
			"migrate", "--roles",
		},
		`platform: --demo needs a loopback address, but PLATFORM_PUBLIC_URL is https://id.example.com: leave one`: {
			"up", "--demo", "--public-url", "https://id.example.com",
		},
		`platform: PLATFORM_LISTEN has port 0, so the public URL isn't known: choose a po`: {
			"up", "--listen", "127.0.0.1:0",
		},
	} {
		require.Contains(t, d.wrong(args...), want)
	}

	require.NoDirExists(t, d.data, "wrong usage leaves nothing behind")
}

func TestEveryConfigurationProblemIsListed(t *testing.T) {
	d := newDesk(t, "PLATFORM_SESION_IDLE=1h", "PLATFORM_CODE_TTL=soon", "PLATFORM_SIGNING_BACKEND=paper",
		"PLATFORM_DATABASE_URL=mysql://u:hunter2@h/d")
	for _, command := range [][]string{{"up", "--public-url", "http://id.example.com"}} {
		message := d.wrong(command...)
		for _, part := range []string{
			"configuration: 5 problems", "PLATFORM_SESION_IDLE: unknown; did you mean PLATFORM_SESSION_IDLE?",
			"PLATFORM_CODE_TTL: \"soon\" is not a duration",
			"PLATFORM_SIGNING_BACKEND", "PLATFORM_DATABASE_URL", "PLATFORM_PUBLIC_URL: http is allowed on loopback only",
		} {
			require.Contains(t, message, part)
		}

		require.NotContains(t, message, "hunter2")
	}

	for _, command := range [][]string{{"migrate"}, {"apply", "-f", "x"}} {
		require.Contains(t, d.wrong(command...), "PLATFORM_SESION_IDLE: unknown", command)
	}
}

func TestPrintConfigMasksSecrets(t *testing.T) {
	d := newDesk(t, "PLATFORM_DATABASE_URL=postgres://owner:hunter2@db/platform", "PLATFORM_LISTEN=[::1]:8443")
	table := d.done("up", "--print-config")
	require.Regexp(t, `PLATFORM_PUBLIC_URL +http://\[::1\]:8443`, table)
	require.Contains(t, table, "owner")
	require.NotContains(t, table, "hunter2")
	values := map[string]string{}
	d.json(&values, "up", "--print-config")
	require.Equal(t, "http://[::1]:8443", values["PLATFORM_PUBLIC_URL"])
	require.NotContains(t, values["PLATFORM_DATABASE_URL"], "hunter2")
	require.NoDirExists(t, d.data)
}

func TestThePublicURLFollowsALoopbackListener(t *testing.T) {
	for name, c := range map[string]struct {
		environ, args []string
		want          string
	}{
		"nothing is said": {nil, nil, "http://127.0.0.1:8080"},
		"a flag":          {nil, []string{"--listen", "127.0.0.1:9000"}, "http://127.0.0.1:9000"},
		"a variable":      {[]string{"PLATFORM_LISTEN=localhost:9000"}, nil, "http://localhost:9000"},
		"the flag wins": {
			[]string{"PLATFORM_LISTEN=127.0.0.1:9000"}, []string{"--listen", "127.0.0.2:9001"}, "http://127.0.0.2:9001",
		},
		"every address": {nil, []string{"--listen", ":9000"}, "http://127.0.0.1:8080"},
		"the public URL as variable": {
			[]string{"PLATFORM_PUBLIC_URL=https://id.example.com"},
			[]string{"--listen", "127.0.0.1:9000"},
			"https://id.example.com",
		},
		"the public URL as flag wins": {
			[]string{"PLATFORM_PUBLIC_URL=https://id.example.com"},
			[]string{"--public-url", "http://localhost:1"},
			"http://localhost:1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			values := map[string]string{}
			newDesk(t, c.environ...).json(&values, append([]string{"up", "--print-config"}, c.args...)...)
			require.Equal(t, c.want, values["PLATFORM_PUBLIC_URL"])
		})
	}
}

func TestVersion(t *testing.T) {
	d := newDesk(t)
	require.Regexp(t, `(?s)^version  \S+\ncommit   \S+\ngo       go1\S*.*\nschema   \d+\n$`, d.done("version"))
	var v struct {
		Version, Commit, Go string
		Schema              int64
	}
	d.json(&v, "version")
	require.NotEmpty(t, v.Version)
	require.Positive(t, v.Schema)
}

type migrated struct {
	From, To int64
	Roles    bool
}

func TestMigrate(t *testing.T) {
	server := testkit.PostgresServer(t)
	for name, d := range map[string]*desk{
		"sqlite":   newDesk(t),
		"postgres": newDesk(t, "PLATFORM_DATABASE_URL="+server.EmptyDatabase(t)),
		"past the pooler": newDesk(t, "PLATFORM_DATABASE_URL=postgres://nobody@127.0.0.1:1/x",
			"PLATFORM_DATABASE_DIRECT_URL="+server.EmptyDatabase(t)),
		"sqlite elsewhere": newDesk(t, "PLATFORM_DATABASE_URL=sqlite:"+filepath.Join(t.TempDir(), "elsewhere", "x.db")),
	} {
		t.Run(name, func(t *testing.T) {
			d.t = t
			var first migrated
			d.json(&first, "migrate")
			require.Zero(t, first.From)
			require.Positive(t, first.To)
			require.Contains(t, d.done("migrate"), "schema already at version")
		})
	}
}

func TestMigrateMakesRoles(t *testing.T) {
	url := testkit.PostgresServer(t).EmptyDatabase(t)
	d := newDesk(t, "PLATFORM_DATABASE_URL="+url)
	out := d.done("migrate", "--roles")
	require.Contains(t, out, "schema migrated from version 0 to")
	require.Contains(t, out, "roles and rights are up to date")
	var again migrated
	d.json(&again, "migrate", "--roles")
	require.True(t, again.Roles)

	_, err := testkit.OpenPostgres(t, url).Exec(t.Context(), "test.before",
		`GRANT SELECT ON sessions TO platform_authorize, platform_device`)
	require.NoError(t, err)
	require.Contains(t, d.done("migrate", "--rollout"), "rights that only the version before uses are kept")
	require.Contains(t, d.run("doctor").out, "unneeded privilege: platform_device: SELECT on sessions")
	d.done("migrate", "--roles")
	require.NotContains(t, d.run("doctor").out, "unneeded privilege")
}

func TestADatabaseThatCannotBeOpenedFails(t *testing.T) {
	d := newDesk(t)
	require.NoError(t, os.WriteFile(d.data, nil, 0o600))
	require.Contains(t, d.failed("migrate"), "create the folder of the database")
}

func TestAKidThatLooksLikeAFlagIsNone(t *testing.T) {
	d := newDesk(t)
	d.done("migrate")
	kid := "-gNYWO5gIkUdzI7Yv_gsoilb__wSBHQXkFSXvux3HZI"
	o := d.run("key", "revoke", kid, "--dry-run")
	require.Equal(t, exitFailed, o.code)
	require.Contains(t, o.err, kid, "it is looked for, and is not there")
	require.NotContains(t, o.err, "flag")
}
