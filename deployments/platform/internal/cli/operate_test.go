package cli

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// secretFor is good enough for a platform on the Internet.
const secretFor = "0123456789abcdef0123456789abcdef"

// office is a desk with its database, with the owner's rights.
type office struct {
	*desk
	db *database.DB
}

// inEachOffice runs f on SQLite, and on PostgreSQL with only the operator's rights.
func inEachOffice(t *testing.T, f func(t *testing.T, o office)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		d := newDesk(t)
		d.done("migrate")
		db, err := sqlite.Open(t.Context(), filepath.Join(d.data, "platform.db"), database.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		f(t, office{d, db})
	})

	t.Run("postgres", func(t *testing.T) {
		server := testkit.PostgresServer(t)
		url := server.NewDatabase(t)
		f(t, office{
			newDesk(t, "PLATFORM_DATABASE_URL="+server.LoginURL(t, url, "platform_operator")),
			testkit.OpenPostgres(t, url),
		})
	})
}

func (o office) exec(query string, args ...any) {
	o.t.Helper()
	_, err := o.db.Exec(o.t.Context(), "test.exec", query, args...)
	require.NoError(o.t, err)
}

// trail returns the audit trail without ids and times.
func (o office) trail(args ...string) (told []string) {
	o.t.Helper()
	var events []eventView
	o.json(&events, append([]string{"audit"}, args...)...)
	for _, e := range events {
		require.Equal(o.t, "operator", e.Service)
		require.WithinDuration(o.t, time.Now(), e.At, patience)
		told = append(told, string(e.Kind)+" "+e.Detail["action"]+" "+e.Detail["fields"])
	}
	return told
}

// person creates a tenant and a person in it.
func (o office) person() userView {
	o.t.Helper()
	o.done("tenant", "create", "acme", "--name", "Acme Corp", "--domain", "acme.test")
	o.in = "correct horse\n"
	o.done("user", "create", "Ada@acme.test", "--name", "Ada Lovelace", "--tenant", "acme")
	var ada userView
	o.json(&ada, "user", "show", "ADA@acme.test")
	return ada
}

func TestTenantsAndPeopleAreMadeShownAndSwitchedOff(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		ada := o.person()
		require.Equal(t, "ada@acme.test", ada.Email)
		require.Equal(t, []string{"acme"}, ada.Tenants)
		require.True(t, ada.Enabled && ada.HasPassword)

		require.Regexp(t, `^SLUG +NAME +ENABLED +DOMAINS +ID\nacme +Acme Corp +yes +acme.test +tnt_\S+\n$`,
			o.done("tenant", "list"))
		require.Regexp(t, `(?m)^name +Acme Corp$`, o.done("tenant", "show", "acme"))
		require.Regexp(t,
			`^EMAIL +NAME +ENABLED +TENANTS +HAS PASSWORD +ID\nada@acme.test +Ada Lovelace +yes +acme +yes +usr_\S+\n$`,
			o.done("user", "list"))
		require.Contains(t, o.done("user", "show", ada.ID), "ada@acme.test")
		o.done("tenant", "create", "bolt", "--name", "Bolt")
		require.NotContains(t, o.done("user", "list", "--tenant", "bolt"), "ada")
		require.Contains(t, o.done("user", "list", "--tenant", "acme"), "ada")

		require.Contains(t, o.done("user", "disable", "ada@acme.test", "--dry-run"),
			"1 changed, 0 unchanged: dry run, nothing was changed")
		require.Regexp(t, `disabled +user +ada@acme.test`, o.done("user", "disable", "ada@acme.test"))
		require.Contains(t, o.done("user", "disable", "ada@acme.test"), "0 changed, 1 unchanged")
		require.Regexp(t, `(?m)^enabled +no$`, o.done("user", "show", "ada@acme.test"))
		require.Equal(t, []string{
			"operator.tenant_changed created ", "operator.user_changed created ", "operator.tenant_changed created ",
			"operator.user_changed disabled ",
		}, o.trail(), "a rehearsal leaves no trace")
		require.NotContains(t, o.done("audit"), "ada@acme.test")
	})
}

func TestWhatIsThereOrMissingIsSaidWithTheRemedy(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		o.person()

		for want, args := range map[string][]string{
			"tenant \"acme\" already exists: `platform tenant show` shows it, and `platform apply` changes it": {
				"tenant", "create", "acme", "--name", "Other",
			},
			"user \"ada@acme.test\" already exists": {
				"user", "create", "ADA@ACME.TEST", "--no-password",
			},
			"nothing was created:\n  --tenant: there is no active tenant \"bolt\"": {
				"user", "create", "bob@acme.test", "--tenant", "bolt", "--no-password",
			},
			"nothing was created:\n  --domain: \"acme.test\" belongs to tenant \"acme\"": {
				"tenant", "create", "bolt", "--name", "Bolt", "--domain", "acme.test",
			},
			"there is no tenant \"bolt\": see `platform tenant list`": {
				"tenant", "show", "bolt",
			},
			"there is no user \"bob@acme.test\": see `platform user list`": {
				"user", "show", "bob@acme.test",
			},
			"there is no user \"bob\"":                             {"user", "set-password", "bob"},
			"there is no user \"eve\"":                             {"user", "disable", "eve"},
			"there is no user \"e@x\"":                             {"audit", "--user", "e@x"},
			"there is no application \"web\": see `platform app l": {"app", "show", "web"},
			"there is no application \"job\"":                      {"app", "rotate-secret", "job"},
			"there is no application \"tv\"":                       {"app", "disable", "tv"},
			"there is no application \"x\"":                        {"session", "list", "--app", "x"},
			"there is no session \"ses_1\": `platform session list --all` lists the sessions": {
				"session", "end", "ses_1",
			},
		} {
			require.Contains(t, o.failed(args...), want)
		}

		require.Len(t, o.trail(), 2)
	})
}

func TestWrongFlagsAreSaidByTheirNamesBeforeAnythingIsOpened(t *testing.T) {
	d := newDesk(t, "PLATFORM_PUBLIC_URL=https://id.example.com")
	d.in = "correct horse\n"
	short := filepath.Join(t.TempDir(), "secret")
	named := func(content string) string {
		file := filepath.Join(t.TempDir(), "jwks.json")
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		return file
	}

	require.NoError(t, os.WriteFile(short, []byte("short\n"), 0o600))

	for want, args := range map[string][]string{
		"nothing was created:\n  CLIENT_ID: must be 1 to 128": {
			"app", "create", "a b", "--name", "A", "--type", "SPA",
		},
		"\n  --name: is required\n  --type: must be WEB": {"app", "create", "a"},
		"\n  --redirect-uri: ": {
			"app", "create", "a", "--name", "A", "--type", "WEB", "--redirect-uri", "https://a.test/#x",
		},
		"\n  --grant: a SPA application is public": {
			"app", "create", "a", "--name", "A", "--type", "SPA", "--grant", "client_credentials",
		},
		"\n  --client-secret-file: has fewer than 32 characters": {
			"app", "create", "a", "--name", "A", "--type", "SERVICE", "--client-secret-file", short,
		},
		"\n  --jwks: must be a JWK Set of public keys": {
			"app", "create", "a", "--name", "A", "--type", "SERVICE", "--jwks",
			named(`{"keys":[{"kty":"OKP","crv":"Ed25519","d":"AA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`),
		},
		"\n  --jwks: has no key to verify RS256": {
			"app", "create", "a", "--name", "A", "--type", "SERVICE", "--jwks", named(`{"keys":[]}`),
		},
		"\n  --jwks: give jwks or jwks_uri, not both": {
			"app", "create", "a", "--name", "A", "--type", "SERVICE", "--jwks", named(`{"keys":[]}`),
			"--jwks-uri", "https://a.test/jwks",
		},
		"\n  --jwks: a NATIVE application is public": {
			"app", "create", "a", "--name", "A", "--type", "NATIVE", "--jwks", named(`{"keys":[]}`),
		},
		"isn't a JSON document of at most 262144 bytes": {
			"app", "create", "a", "--name", "A", "--type", "SERVICE", "--jwks", named("-----BEGIN PRIVATE KEY-----"),
		},
		"\n  --refresh-grace: must be between 0s and 1m": {
			"app", "create", "a", "--name", "A", "--type", "SERVICE", "--refresh-grace", "2m",
		},
		"\n  SLUG: must be 1 to 63":                                                           {"tenant", "create", "Acme", "--name", "Acme"},
		"\n  EMAIL: must be one e-mail address":                                               {"user", "create", "ada"},
		"platform app create takes one CLIENT_ID, but was given 0":                            {"app", "create"},
		"platform user show takes one EMAIL, but was given 2":                                 {"user", "show", "a", "b"},
		"want one of create, disable, enable, list, revoke, show: see platform tenant --help": {"tenant", "remove"},
		"--overlap must not be negative": {
			"app", "rotate-secret", "a", "--overlap", "-1s",
		},
		"no sessions to end: give their ids, or --user EMAIL": {"session", "end"},
		"or --user EMAIL for all of a person":                 {"session", "end", "ses_1", "--user", "a@b"},
		"--limit must be at least 1":                          {"audit", "--limit", "0"},
		"unknown flag: --password;": {
			"user", "set-password", "a", "--password", "hunter2",
		},
		"--no-password and --password-file exclude each other": {
			"user", "create", "a@b.test", "--no-password", "--password-file", "x",
		},
		"unknown flag: --client-secret; see platform app create --help": {
			"app", "create", "a", "--client-secret", "hunter2",
		},
		"--limit must be at least 1\n": {"session", "list", "--limit", "-1"},
	} {
		require.Contains(t, d.wrong(args...), want)
	}

	require.NoDirExists(t, d.data)
	d = newDesk(t)
	d.done("migrate")
	require.Contains(t, d.wrong("audit", "--since", "yesterday"),
		`--since "yesterday" is neither a duration such as 24h nor a time such as`)
}

func TestAPasswordIsNeverOnTheCommandLine(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		o.person()
		hasher, err := password.New(password.Options{})
		require.NoError(t, err)
		requirePassword := func(want string) {
			t.Helper()
			user, err := sqlstore.NewReader(o.db).User(t.Context(), "ada@acme.test")
			require.NoError(t, err)
			ok, err := hasher.Verify(t.Context(), user.PasswordHash, want)
			require.NoError(t, err)
			require.True(t, ok)
		}

		requirePassword("correct horse")
		o.in = "  from standard input \r\n"
		require.Contains(t, o.done("user", "set-password", "ada@acme.test", "--dry-run"), "dry run")
		requirePassword("correct horse")
		require.Regexp(t, `updated +user +ada@acme.test +password\n`, o.done("user", "set-password", "ada@acme.test"))
		requirePassword("  from standard input ")
		file := filepath.Join(t.TempDir(), "password")
		require.NoError(t, os.WriteFile(file, []byte("from a file"), 0o600))
		o.done("user", "set-password", "ada@acme.test", "--password-file", file)
		requirePassword("from a file")
		require.Equal(t, "operator.user_changed updated password", o.trail("--limit", "1")[0])

		for in, want := range map[string]string{
			"":                         "the password is empty",
			"\n":                       "the password is empty",
			"two\nlines":               "isn't a single line of UTF-8",
			"\xff":                     "isn't a single line of UTF-8",
			string(make([]byte, 2000)): "longer than 1024 bytes",
		} {
			o.in = in
			require.Contains(t, o.wrong("user", "set-password", "ada@acme.test"), want)
			require.Contains(t, o.wrong("user", "create", "bob@acme.test"), want)
		}

		require.Contains(t,
			o.failed("user", "set-password", "ada@acme.test", "--password-file", file+".gone"), "no such file")
		requirePassword("from a file")
	})
}

func TestApplicationsAreMadeShownAndSwitchedOff(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		o.done("tenant", "create", "acme", "--name", "Acme")
		create := []string{
			"app", "create", "web", "--name", "Web", "--type", "WEB", "--grant", "authorization_code",
			"--grant", "token_exchange",
			"--scope", "openid", "--redirect-uri", "https://web.test/cb", "--access-token-ttl",
			"15m", "--refresh-grace", "0s",
		}
		require.NotContains(t, o.done(append(create, "--dry-run")...), "shown only this once")
		var report manifest.Report
		o.json(&report, create...)
		require.Len(t, report.Secrets, 1)

		file := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(file, []byte(secretFor), 0o600))
		out := o.done("app", "create", "job", "--name", "Job", "--type", "SERVICE", "--tenant", "acme", "--grant",
			"client_credentials", "--client-secret-file", file)
		require.NotContains(t, out, "shown only this once")
		require.Regexp(t, `^CLIENT ID +NAME +TYPE +TENANT +ENABLED +GRANTS\n`+
			`job +Job +SERVICE +acme +yes +client_credentials\nweb +Web +WEB +yes +authorization_code token_exchange\n$`, o.done(
			"app", "list"))
		require.Regexp(t, `(?m)^access_token_ttl +15m0s$`, o.done("app", "show", "web"))
		require.NotContains(t, o.done("app", "show", "web"), report.Secrets[0].Secret)
		var web applicationView
		o.json(&web, "app", "show", "web")
		require.Equal(t, "0s", web.RefreshGrace)
		require.Len(t, web.Secrets, 1)

		require.Contains(t, o.done("app", "disable", "web", "--dry-run"), "dry run")
		require.Regexp(t, `disabled +application +web`, o.done("app", "disable", "web"))
		require.Contains(t, o.done("app", "disable", "web"), "0 changed, 1 unchanged")
		require.Regexp(t, `(?m)^enabled +no$`, o.done("app", "show", "web"))
		require.Equal(t,
			[]string{"operator.application_changed created ", "operator.application_changed disabled "},
			o.trail("--app", "web"))
		require.Contains(t, o.failed("app", "create", "web", "--name", "Web", "--type", "SPA"), "already")

		keyed := []string{
			"app", "create", "keyed", "--name", "Keyed", "--type", "SERVICE", "--grant",
			"client_credentials", "--jwks-uri",
		}
		require.NotContains(t, o.done(append(keyed, "https://keyed.test/jwks")...), "shown only this once",
			"a key takes the secret's place (RFC 7591 2)")
		require.Regexp(t, `(?m)^jwks_uri +https://keyed.test/jwks$`, o.done("app", "show", "keyed"))

		// The key of RFC 8037 appendix A.2.
		const jwks = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"one","use":"sig"}]}`
		require.NoError(t, os.WriteFile(file, []byte(jwks), 0o600))
		inline := []string{
			"app", "create", "inline", "--name", "Inline", "--type", "SERVICE", "--grant", "client_credentials",
			"--token-endpoint-audience", "--jwks", file,
		}
		require.Contains(t, o.done(append(inline, "--dry-run")...), "dry run")
		require.NotContains(t, o.done(inline...), "shown only this once")
		var kept applicationView
		o.json(&kept, "app", "show", "inline")
		require.JSONEq(t, jwks, string(kept.JWKS))
		require.Empty(t, kept.Secrets)
		require.True(t, kept.TokenEndpointAudience)
	})
}

func TestASecretIsRotatedWithAnOverlap(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		var created, rotated manifest.Report
		o.json(&created, "app", "create", "job", "--name", "Job", "--type", "SERVICE", "--grant", "client_credentials")
		o.done("app", "create", "spa", "--name", "Spa", "--type", "SPA")
		valid := func() map[string]time.Time {
			app, err := sqlstore.NewApplicationsWithSecrets(o.db).Application(t.Context(), "job")
			require.NoError(t, err)
			ends := map[string]time.Time{}
			for _, s := range app.Secrets {
				ends[string(s.Hash)] = s.ExpiresAt
			}
			return ends
		}

		first := string(oauth.HashSecret(created.Secrets[0].Secret))
		require.NotContains(t, o.done("app", "rotate-secret", "job", "--dry-run"), "shown only this once")
		require.Equal(t, map[string]time.Time{first: {}}, valid())

		o.json(&rotated, "app", "rotate-secret", "job")
		second := string(oauth.HashSecret(rotated.Secrets[0].Secret))
		require.Len(t, valid(), 2)
		require.WithinDuration(t, time.Now().Add(24*time.Hour), valid()[first], patience)
		require.Zero(t, valid()[second])

		require.Regexp(t, `client secret of job, shown only this once: \S{43}\n`,
			o.done("app", "rotate-secret", "job", "--overlap", "1h"))
		require.Len(t, valid(), 3)
		require.WithinDuration(t, time.Now().Add(time.Hour), valid()[first], patience,
			"an overlap is never made longer")
		require.WithinDuration(t, time.Now().Add(time.Hour), valid()[second], patience)

		o.done("app", "rotate-secret", "job", "--overlap", "0s")
		require.Len(t, valid(), 1)
		require.NotContains(t, valid(), second)
		require.Contains(t, o.failed("app", "rotate-secret", "spa"), "it is public and can't keep a secret")
		require.Equal(t, []string{
			"operator.application_changed created ", "operator.secret_rotated  ", "operator.secret_rotated  ",
			"operator.secret_rotated  ",
		}, o.trail("--app", "job"))
		require.Contains(t, o.done("audit", "--app", "job"), "app=job overlap=24h0m0s\n")
	})
}

func TestApplyIsInTheTrail(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		o.in = "tenants: [{slug: acme, name: Acme}]\nusers: [{email: ada@acme.test, tenants: [acme]}]\n" +
			"applications: [{client_id: job, name: Job, type: SERVICE, scope_level: GLOBAL}]"
		o.done("apply", "-f", "-", "--dry-run")
		require.Empty(t, o.trail())
		o.done("apply", "-f", "-")
		o.done("apply", "-f", "-")
		o.in = "tenants: [{slug: acme, name: Other, domains: [acme.test]}]\nusers: []\napplications: []"
		o.done("apply", "-f", "-", "--prune=2")
		require.Equal(t, []string{
			"operator.tenant_changed created ", "operator.user_changed created ",
			"operator.application_changed created ",
			"operator.tenant_changed updated name, domains", "operator.user_changed disabled ",
			"operator.application_changed disabled ",
		}, o.trail())
		require.Len(t, o.trail("--since", "1h"), 6)
		require.Empty(t, o.trail("--since", time.Now().Add(time.Hour).Format(time.RFC3339)))
	})
}
