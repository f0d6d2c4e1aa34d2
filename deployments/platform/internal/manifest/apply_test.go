package manifest_test

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// operator applies files to one database.
type operator struct {
	t     *testing.T
	db    *database.DB
	clock *testkit.Clock
}

func newOperator(t *testing.T, db *database.DB) operator {
	t.Helper()
	return operator{t, db, testkit.NewClock(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))}
}

func (o operator) try(text string, change ...func(*manifest.ApplyOptions)) (*manifest.Report, error) {
	o.t.Helper()
	doc, err := manifest.Parse("platform.yaml", strings.NewReader(text))
	require.NoError(o.t, err)
	o.clock.Advance(time.Hour)
	opts := manifest.ApplyOptions{Rules: public, Now: o.clock.Now, Random: rand.Reader}
	for _, c := range change {
		c(&opts)
	}
	return manifest.Apply(o.t.Context(), o.db, doc, opts)
}

func (o operator) apply(text string, change ...func(*manifest.ApplyOptions)) *manifest.Report {
	o.t.Helper()
	report, err := o.try(text, change...)
	require.NoError(o.t, err)
	return report
}

// refused are the problems of a file that fits in itself but not here.
func (o operator) refused(text string, change ...func(*manifest.ApplyOptions)) string {
	o.t.Helper()
	_, err := o.try(text, change...)
	var problems manifest.Problems
	require.ErrorAs(o.t, err, &problems)
	return err.Error()
}

// state is all that the directory holds.
type state struct {
	Tenants      []sqlstore.TenantRecord
	Users        []sqlstore.UserRecord
	Applications []*directory.Application
}

func (o operator) state() (s state) {
	o.t.Helper()
	require.NoError(o.t, sqlstore.NewOperator(o.db).Tx(o.t.Context(), func(w *sqlstore.Writer) error {
		var err1, err2, err3 error
		s.Tenants, err1 = w.Tenants(o.t.Context())
		s.Users, err2 = w.Users(o.t.Context())
		s.Applications, err3 = w.Applications(o.t.Context())
		return errors.Join(err1, err2, err3)
	}))

	return s
}

func dryRun(o *manifest.ApplyOptions) { o.DryRun = true }

// prune removes what a person at the terminal agrees to.
func prune(o *manifest.ApplyOptions) {
	o.Prune = manifest.Pruning{Wanted: true, Ask: func(string) (bool, error) { return true, nil }}
}

func overrule(o *manifest.ApplyOptions) { o.Overrule = true }

func changes(r *manifest.Report) []string {
	list := []string{}
	for _, c := range r.Changes {
		list = append(list, strings.TrimSpace(c.Action+" "+c.Kind+" "+c.Name+" "+c.Detail()))
	}
	return list
}

func example(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "example.yaml"))
	require.NoError(t, err)
	return string(text)
}

func TestTheExampleIsAppliedOnce(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		report := o.apply(example(t))
		require.Equal(t,
			[]string{"created tenant acme", "created user ada@acme.test", "created application billing-web"},
			changes(report))
		require.Empty(t, report.Secrets, "the file has the secret")

		first := o.state()
		acme, ada, billing := first.Tenants[0], first.Users[0], first.Applications[0]
		require.Equal(t, []string{"acme.test"}, acme.Domains)
		require.True(t, acme.Active)
		require.Equal(t, []string{acme.ID}, ada.TenantIDs)
		require.Equal(t, map[string]any{"phone_number": "+44 20 7946 0000", "locale": "en-GB"}, ada.Claims)
		hasher, err := password.New(password.Options{})
		require.NoError(t, err)
		same, err := hasher.Verify(t.Context(), ada.PasswordHash, "correct horse battery staple")
		require.NoError(t, err)
		require.True(t, same)
		grace, secret := 10*time.Second, sha256.Sum256([]byte("a-long-random-string-of-32-or-more"))
		require.Equal(t, &directory.Application{
			ClientID:               "billing-web",
			Name:                   "Billing",
			Type:                   directory.Web,
			ScopeLevel:             directory.Global,
			RedirectURIs:           []string{"https://billing.test/callback"},
			PostLogoutRedirectURIs: []string{"https://billing.test/bye"},
			BackchannelLogoutURI:   "https://billing.test/backchannel",
			Grants: []oauth.GrantType{
				oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials,
				oauth.GrantDeviceCode, oauth.GrantTokenExchange,
			},
			Scopes:          oauth.Scopes{"openid", "profile", "email", "offline_access", "api:read"},
			Audiences:       []string{"https://api.billing.test"},
			ResourcesServed: []string{},
			FirstParty:      true,
			AccessTokenAlg:  "ES256",
			IDTokenAlg:      "RS256",
			AccessTokenTTL:  15 * time.Minute,
			RefreshGrace:    &grace,
			CORSOrigins:     []string{"https://billing.test"},
			Active:          true,
			Secrets:         []directory.ApplicationSecret{{ID: billing.Secrets[0].ID, Hash: secret[:]}},
		}, billing)

		again := o.apply(example(t))
		require.Empty(t, changes(again))
		require.Equal(t, 3, again.Unchanged)
		require.Equal(t, first, o.state(), "not even the times of the last change")
	})
}

func TestAnUpdateNamesWhatChanged(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		o.apply(example(t))
		before := o.state()

		for _, c := range []struct{ old, changed, want string }{
			{"name: Acme Corp", "name: Acme Limited", "updated tenant acme name"},
			{
				"domains: [acme.test] ", "domains: [acme.test, acme.example]\n    sso_only: true ",
				"updated tenant acme sso_only, domains",
			},
			{"domains: [acme.test] ", "domains: [acme.test]\n    color: \"#2f4fd0\" ", "updated tenant acme color"},
			{"given_name: Ada", "given_name: Augusta", "updated user ada@acme.test given_name"},
			{
				"family_name: Lovelace\n    email_verified: true", "family_name: King",
				"updated user ada@acme.test email_verified, family_name",
			},
			{"locale: en-GB}", "locale: fr-FR, address: {country: GB}}", "updated user ada@acme.test claims"},
			{"tenants: [acme]", "tenants: []", "updated user ada@acme.test tenants"},
			{"password: correct horse battery staple", "password: another", "updated user ada@acme.test password"},
			{"15m", "20m", "updated application billing-web access_token_ttl"},
			{"refresh_grace: 10s", "refresh_grace: 0s", "updated application billing-web refresh_grace"},
			{"refresh_grace: 0s", "", "updated application billing-web refresh_grace"},
			{"first_party: true", "first_party: false", "updated application billing-web first_party"},
			{"refresh_token, client_credentials", "client_credentials", "updated application billing-web grants"},
			{
				"a-long-random-string-of-32-or-more", "b-long-random-string-of-32-or-more",
				"updated application billing-web client_secret",
			},
			{
				"scope_level: GLOBAL", "scope_level: TENANT\n    tenant: acme",
				"updated application billing-web scope_level, tenant",
			},
		} {
			text := strings.Replace(example(t), c.old, c.changed, 1)
			if c.old == "refresh_grace: 0s" { // from off to the default
				o.apply(strings.Replace(example(t), "refresh_grace: 10s", c.old, 1))
				text = strings.Replace(example(t), "refresh_grace: 10s", "", 1)
			}

			require.Equal(t, []string{c.want}, changes(o.apply(text)))
			require.Empty(t, changes(o.apply(text)), "%s, applied again", c.want)
			o.apply(example(t))
		}

		after := o.state()
		require.Equal(t, before.Tenants[0].ID, after.Tenants[0].ID)
		require.Equal(t, before.Users[0].ID, after.Users[0].ID, "a person stays who they are")
	})
}

func TestADryRunSaysTheSameAndChangesNothing(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		text := strings.Replace(example(t), "    client_secret:", "    # client_secret:", 1)
		report := o.apply(text, dryRun)
		require.Len(t, report.Changes, 3)
		require.Empty(t, report.Secrets, "a secret that is not kept is of no use")
		require.Zero(t, len(o.state().Tenants)+len(o.state().Users)+len(o.state().Applications))
		require.Equal(t, report.Changes, o.apply(text).Changes)
		before := o.state()
		require.Equal(t,
			[]string{"disabled tenant acme", "disabled user ada@acme.test", "disabled application billing-web"},
			changes(o.apply("tenants: []\nusers: []\napplications: []", dryRun, prune)))
		require.Equal(t, before, o.state())
	})
}

func TestPruningDisablesWhatTheSectionsLeaveOutInOrder(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		text := `
tenants:
  - {slug: c, name: C}
  - {slug: a, name: A}
  - {slug: b, name: B}
users:
  - {email: c@a.test}
  - {email: a@a.test, tenants: [a]}
  - {email: b@a.test}
applications:
  - {client_id: c, name: C, type: SPA, scope_level: GLOBAL}
  - {client_id: a, name: A, type: SPA, scope_level: GLOBAL}
  - {client_id: b, name: B, type: SPA, scope_level: GLOBAL}
`

		o.apply(text)
		before := o.state()
		require.Empty(t, changes(o.apply("# nothing", prune)), "a file without sections speaks of nothing")
		require.Empty(t, changes(o.apply("users: []")), "without --prune nothing is disabled")
		require.Equal(t, before, o.state())
		require.Equal(t, []string{"disabled user a@a.test", "disabled user b@a.test", "disabled user c@a.test"},
			changes(o.apply("users: []", prune)))
		require.Empty(t, changes(o.apply("users: []", prune)), "once is enough")
		require.Equal(t,
			[]string{
				"disabled tenant a", "disabled tenant b", "disabled tenant c", "disabled application b",
				"disabled application c",
			},
			changes(o.apply("tenants: []\napplications:\n  - {client_id: a, name: A, type: SPA, scope_level: GLOBAL}",
				prune)))

		for _, tenant := range o.state().Tenants {
			require.False(t, tenant.Active, tenant.Slug)
		}

		require.Equal(t, []string{
			"updated tenant c enabled", "updated tenant a enabled", "updated tenant b enabled",
			"updated user c@a.test enabled", "updated user a@a.test enabled", "updated user b@a.test enabled",
			"updated application c enabled", "updated application b enabled",
		}, changes(o.apply(text)))
	})
}

func TestARandomSourceThatFailsAppliesNothing(t *testing.T) {
	o := newOperator(t, testkit.SQLite(t))
	_, err := o.try(example(t), func(a *manifest.ApplyOptions) { a.Random = io.LimitReader(rand.Reader, 20) })
	require.Error(t, err)
	require.Empty(t, o.state().Tenants)
}
