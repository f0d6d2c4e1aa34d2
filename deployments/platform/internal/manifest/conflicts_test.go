package manifest_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/admin"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// desk is where the operator's commands work.
func (o operator) desk() admin.Desk {
	o.clock.Advance(time.Hour)
	return admin.Desk{DB: o.db, Now: o.clock.Now, Random: rand.Reader}
}

func conflicts(r *manifest.Report) []string {
	list := []string{}
	for _, c := range r.Conflicts {
		list = append(list, c.Kind+" "+c.Name+" "+c.Field+": "+c.Reason)
	}
	return list
}

func (o operator) opens(hash, secret string) bool {
	o.t.Helper()
	hasher, err := password.New(password.Options{})
	require.NoError(o.t, err)
	ok, err := hasher.Verify(o.t.Context(), hash, secret)
	require.NoError(o.t, err)
	return ok
}

const (
	adaIn    = "users:\n  - {email: ada@acme.test, password: from the file}\n"
	adaAgain = "users:\n  - {email: ada@acme.test, password: newer in the file}\n"
)

func TestAPasswordThatACommandSetIsNotUndone(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		o.apply(adaIn)
		_, err := o.desk().SetPassword(t.Context(), "ada@acme.test", "from a command", false)
		require.NoError(t, err)

		for _, text := range []string{adaIn, adaAgain} {
			for _, options := range [][]func(*manifest.ApplyOptions){{dryRun}, nil} {
				report := o.apply(text, options...)
				require.Empty(t, changes(report))
				require.Equal(t,
					[]string{"user ada@acme.test password: a command has set it since the last apply"},
					conflicts(report))
			}
		}

		require.True(t, o.opens(o.state().Users[0].PasswordHash, "from a command"))

		named := strings.Replace(adaIn, "{", "{name: Ada, ", 1)
		report := o.apply(named)
		require.Equal(t, []string{"updated user ada@acme.test name"}, changes(report), "the rest is applied")
		require.Len(t, report.Conflicts, 1)

		report = o.apply(named, overrule)
		require.Equal(t, []string{"updated user ada@acme.test password"}, changes(report))
		require.Empty(t, report.Conflicts)
		require.True(t, o.opens(o.state().Users[0].PasswordHash, "from the file"))
		require.Empty(t, conflicts(o.apply(named)))
	})
}

// A password that a person changed on their account page is not an operator's, so
// that it isn't a conflict: it stays until the file has a different one.
func TestAPasswordThatAPersonChangedStaysUntilTheFileChanges(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		o.apply(adaIn)
		hasher, err := password.New(password.Options{})
		require.NoError(t, err)
		own, err := hasher.Hash(t.Context(), "their own")
		require.NoError(t, err)
		ada := o.state().Users[0]
		changed, err := sqlstore.NewPeople(db).SetPasswordHash(t.Context(), ada.ID,
			ada.PasswordHash, own, o.clock.Now())
		require.NoError(t, err)
		require.True(t, changed)

		report := o.apply(adaIn)
		require.Empty(t, changes(report))
		require.Empty(t, conflicts(report))
		require.Equal(t, own, o.state().Users[0].PasswordHash)
		require.Equal(t, []string{"updated user ada@acme.test password"}, changes(o.apply(adaAgain)))
		require.True(t, o.opens(o.state().Users[0].PasswordHash, "newer in the file"))
	})
}

// An apply of an earlier version left no marks: what the file says already is
// adopted, and anything else might be a command's.
func TestWhatAnEarlierVersionAppliedIsAdopted(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		text := adaIn + service + ", client_secret: " + strings.Repeat("s", 40) + "}\n"
		newer := adaAgain + service + ", client_secret: " + strings.Repeat("n", 40) + "}\n"
		o.apply(text)
		forget := func() {
			_, err := db.Exec(t.Context(), "test.forget", `DELETE FROM directory_marks`)
			require.NoError(t, err)
		}

		forget()
		require.Len(t, o.apply(newer).Conflicts, 2, "nothing is known of either")
		require.Empty(t, changes(o.apply(text)))
		require.Len(t, changes(o.apply(newer)), 2)
	})
}

func TestASecretThatACommandRotatedIsNotUndone(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		first, second := strings.Repeat("s", 40), strings.Repeat("n", 40)
		o.apply(service + ", client_secret: " + first + "}")

		for _, overlap := range []time.Duration{48 * time.Hour, 0} {
			rotated, err := o.desk().RotateSecret(t.Context(), "job", overlap)
			require.NoError(t, err)
			kept := o.state().Applications[0].Secrets

			for _, said := range []string{first, second} {
				report := o.apply(service + ", client_secret: " + said + "}")
				require.Empty(t, changes(report))
				require.Equal(t,
					[]string{"application job client_secret: it was set or replaced by something other than apply"},
					conflicts(report))
			}

			report := o.apply(service + ", client_secret: " + rotated.Secrets[0].Secret + "}")
			require.Empty(t, changes(report))
			require.Empty(t, conflicts(report))
			require.Equal(t, kept, o.state().Applications[0].Secrets, "the old secret keeps its overlap")
		}

		require.Equal(t, []string{"updated application job client_secret"},
			changes(o.apply(service+", client_secret: "+second+"}")),
			"the file had the rotated one, so that it is the file's to replace")
		require.Equal(t, oauth.HashSecret(second), o.state().Applications[0].Secrets[0].Hash)

		_, err := o.desk().RotateSecret(t.Context(), "job", 0)
		require.NoError(t, err)
		report := o.apply(service+", client_secret: "+second+"}", overrule)
		require.Equal(t, []string{"updated application job client_secret"}, changes(report))
		require.Empty(t, conflicts(report))
	})
}

const enabledFile = `
tenants:
  - {slug: acme, name: Acme%[1]s}
users:
  - {email: ada@acme.test, tenants: [acme]%[1]s}
applications:
  - {client_id: app, name: App, type: SPA, scope_level: GLOBAL%[1]s}
`

func TestWhatACommandDisabledStaysDisabled(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		silent, on := strings.ReplaceAll(enabledFile, "%[1]s",
			""), strings.ReplaceAll(enabledFile, "%[1]s", ", enabled: true")
		o.apply(silent)
		_, err := o.desk().DisableUser(t.Context(), "ada@acme.test")
		require.NoError(t, err)
		_, err = o.desk().DisableApplication(t.Context(), "app")
		require.NoError(t, err)

		report := o.apply(silent)
		require.Empty(t, changes(report))
		require.Empty(t, conflicts(report), "the file does not speak of it")
		report = o.apply(on)
		require.Empty(t, changes(report))
		require.Equal(t, []string{
			"user ada@acme.test enabled: it was disabled by something other than apply",
			"application app enabled: it was disabled by something other than apply",
		}, conflicts(report))
		require.Equal(t, []string{"updated user ada@acme.test enabled", "updated application app enabled"},
			changes(o.apply(on, overrule)))
	})
}

func TestTheFileDisablesAndEnables(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		silent, off := strings.ReplaceAll(enabledFile, "%[1]s",
			""), strings.ReplaceAll(enabledFile, "%[1]s", ", enabled: false")
		created := []string{"created tenant acme", "created user ada@acme.test", "created application app"}
		disabled := []string{"disabled tenant acme", "disabled user ada@acme.test", "disabled application app"}
		enabled := []string{
			"updated tenant acme enabled", "updated user ada@acme.test enabled", "updated application app enabled",
		}

		require.Equal(t, created, changes(o.apply(off)))
		require.False(t, o.state().Tenants[0].Active || o.state().Users[0].Active || o.state().Applications[0].Active)
		require.Empty(t, changes(o.apply(off)))
		require.Equal(t, enabled, changes(o.apply(silent)), "what the file disabled it enables by saying it no more")
		require.Equal(t, disabled, changes(o.apply(off)))

		// Another hand enables what the file disabled.
		ada := o.state().Users[0].ID
		require.NoError(t, sqlstore.NewOperator(db).Tx(t.Context(), func(w *sqlstore.Writer) error {
			return w.Enable(t.Context(), sqlstore.KindUser, ada, o.clock.Now())
		}))
		report := o.apply(off)
		require.Empty(t, changes(report))
		require.Equal(t,
			[]string{"user ada@acme.test enabled: it was enabled since apply disabled it"}, conflicts(report))
	})
}

// Everything that takes access away ends it (libs/ending).
func TestApplyEndsTheAccessThatItTakes(t *testing.T) {
	const before = "tenants:\n  - {slug: acme, name: Acme}\n  - {slug: bolt, name: Bolt}\nusers:\n  - {email: ada@acme.test, tenants: [acme, bolt]}\n"
	for name, text := range map[string]string{
		"the person is disabled":        strings.Replace(before, "ada@acme.test", "ada@acme.test, enabled: false", 1),
		"the tenant is disabled":        strings.Replace(before, "name: Acme", "name: Acme, enabled: false", 1),
		"the membership is removed":     strings.Replace(before, "[acme, bolt]", "[bolt]", 1),
		"the tenant takes no passwords": strings.Replace(before, "name: Acme", "name: Acme, sso_only: true", 1),
		"the person is pruned":          "users: []",
	} {
		t.Run(name, func(t *testing.T) {
			testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
				o := newOperator(t, db)
				o.apply(before)
				s := o.state()
				require.NoError(t, signIn(t.Context(), db, s.Users[0].ID, "ses_a", o.clock.Now()))
				_, err := db.Exec(t.Context(), "test.tenant", `UPDATE sessions SET tenant_id = $1`, s.Tenants[0].ID)
				require.NoError(t, err)
				ended := func() (n int) {
					require.NoError(t,
						db.Get(t.Context(), "test.ended", &n,
							`SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL`))
					return n
				}

				o.apply(text, prune, dryRun)
				require.Zero(t, ended())
				o.apply(before)
				require.Zero(t, ended(), "nothing was taken")
				o.apply(text, prune)
				require.Equal(t, 1, ended())
			})
		})
	}
}
