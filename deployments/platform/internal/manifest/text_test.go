package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// However an editor or a program lays a file out, it says the same.
func TestAFileSaysTheSameInEveryLayout(t *testing.T) {
	for name, text := range map[string]string{
		"blocks":              "tenants:\n  - slug: a\n    name: A\nusers:\n  - email: x@a.test\n    tenants: [a]\n  - email: y@a.test\n",
		"no indentation":      "tenants:\n- slug: a\n  name: A\nusers:\n- email: x@a.test\n  tenants:\n  - a\n- email: y@a.test\n",
		"a byte order mark":   "\ufefftenants:\n  - {slug: a, name: A}\nusers:\n  - {email: x@a.test, tenants: [a]}\n  - {email: y@a.test}\n",
		"Windows' lines":      "tenants:\r\n  - {slug: a, name: A}\r\nusers:\r\n  - email: x@a.test\r\n    tenants: [a]\r\n  - email: y@a.test\r\n",
		"comments":            "# c\n---\ntenants: # c\n# c\n  - {slug: a, name: A} # c\nusers:\n    # c\n  - email: x@a.test\n# c\n    tenants: [a]\n\n  -\n    email: y@a.test\n",
		"flow style":          "tenants: [{slug: a, name: A}]\nusers: [{email: x@a.test, tenants: [a]},\n  {email: y@a.test}]",
		"flow style and keys": "{tenants: [{slug: a, name: A}], users: [{email: x@a.test, tenants: [a]}, {email: y@a.test}]}",
		"JSON":                `{"tenants": [{"slug": "a", "name": "A"}], "users": [{"email": "x@a.test", "tenants": ["a"]}, {"email": "y@a.test"}], "applications": null}`,
		"a quoted section":    "\"tenants\":\n  - {slug: a, name: A}\nusers:\n  - {email: x@a.test, tenants: [a]}\n  - {email: y@a.test}\n",
		"text over lines":     "tenants:\n  - slug: a\n    name: >-\n      A\nusers:\n  - email: \"x@\\\n      a.test\"\n    tenants: [a]\n  - email: y@a.test\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := newOperator(t, testkit.SQLite(t))
			require.Equal(t,
				[]string{"created tenant a", "created user x@a.test", "created user y@a.test"}, changes(o.apply(text)))
			require.Len(t, o.state().Users[0].TenantIDs, 1)
		})
	}
}

// A text that looks like two items to a scanner of lines is refused, not misread.
func TestALongFileIsNotMisread(t *testing.T) {
	for name, text := range map[string]string{
		"a dash within quotes":  "users:\n  - email: \"x@a.test\n  - y@a.test\"\n",
		"a key within quotes":   "users:\n  - email: \"x@a.test\ntenants: y\"\n",
		"a dash within a brace": "users:\n  - {email: x@a.test,\n  - name: y}\n",
		"less indentation":      "users:\n    - email: x@a.test\n  - email: y@a.test\n",
		"a mapping behind":      "users:\n  - email: x@a.test\n  name: y\n",
		"a sharp turn":          "users:\n  - email: x@a.test\r  - email: y@a.test\n",
	} {
		require.NotEmpty(t, refusals(t, text, public), name)
	}

	long := "users: [" + strings.Repeat("{email: x@a.test},\n  ", 70_000) + "]"
	require.Equal(t,
		[]string{"1 users: has an item of more than 1 MiB: write a list with one line or more per item, or JSON"},
		refusals(t, long, public))

	wrong := "users:\n" + strings.Repeat("  - {email: nobody}\n", 3000)
	doc, err := manifest.Parse("platform.yaml", strings.NewReader(wrong))
	require.NoError(t, err)
	require.Len(t, refusals(t, wrong, public), 3000)
	require.ErrorContains(t, doc.Validate(public),
		"platform.yaml:1001: users[999].email: must be one e-mail address\n  and 2000 more")
}

func TestAnAddressIsThePersonInEverySpelling(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		const stored = "z\u00f6e@xn--bcher-kva.test"
		require.NoError(t, sqlstore.NewOperator(db).Tx(t.Context(), func(w *sqlstore.Writer) error {
			return w.SaveUser(t.Context(),
				directory.User{ID: "usr_old", Email: "z\u00f6e@b\u00fccher.test"}, nil, o.clock.Now())
		}))
		file := func(email string) string {
			return "tenants:\n  - {slug: a, name: A, domains: [b\u00fccher.test]}\nusers:\n  - {email: " + email + "}\n"
		}
		require.Equal(t, []string{"created tenant a", "updated user " + stored + " email"},
			changes(o.apply(file("Zo\u0308e@B\u00fccher.test"))))

		for _, same := range []string{stored, "z\u00f6e@b\u00fccher.test", "Z\u00d6E@BU\u0308CHER.test"} {
			require.Empty(t, changes(o.apply(file(same), prune)), same)
		}

		require.Equal(t, "usr_old", o.state().Users[0].ID)
		require.Equal(t, []string{"xn--bcher-kva.test"}, o.state().Tenants[0].Domains)
		require.Contains(t, refusals(t, file(stored)+"  - {email: z\u00f6e@b\u00fccher.test}", public)[0],
			"appears twice, first as users[0]")
	})
}

func TestLookAlikesAreWarnedOf(t *testing.T) {
	warnings := func(email, app string) []string {
		o := newOperator(t, testkit.SQLite(t))
		return o.apply(fmt.Sprintf("users:\n  - {email: %q}\napplications:\n  - {client_id: a, name: %q, type: SPA, scope_level: GLOBAL}", email, app)).Warnings
	}
	require.Len(t, warnings("\u0430da@acme.test", "B\u0456lling"), 2)
	require.Len(t, warnings("ada@\u0430cme.test", "App"), 1)
	require.Len(t, warnings("ada@xn--cme-7cd.test", "App"), 1, "an A-label hides it best")
	require.Contains(t, warnings("ada@acme.test", "B\u0456lling")[0],
		`platform.yaml:4: applications[0].name: the word "B`)
	require.Empty(t, warnings("\u0430\u0434\u0430@acme.test", "\u0411\u0438\u043b\u043b\u0438\u043d\u0433 App"))
	require.Empty(t, warnings("z\u00f6e@b\u00fccher.test", "\u6771\u4eac\u30bf\u30ef\u30fcApp"))
}

// Userinfo gives the standard claims alone; another would be stored for nothing.
func TestAClaimThatUserinfoDoesNotGiveIsRefused(t *testing.T) {
	const user = "users:\n  - email: ada@acme.test\n    claims:\n      "
	check(t, map[string]refusal{
		"one of their own": {
			user + "locale: en\n      department: R&D",
			"5 users[0].claims.department: isn't a claim that userinfo can return; those are middle_name, ",
		},
		"a typing error": {user + "phone: \"+44\"", "4 users[0].claims.phone: isn't a claim"},
		"an address as text": {
			user + "address: Main Street", "4 users[0].claims.address: must be a mapping with some of formatted, ",
		},
		"a part of no address": {
			user + "address: {street: Main Street}", "4 users[0].claims.address.street: isn't a part of an address",
		},
		"a truth as text": {
			user + "phone_number_verified: \"yes\"", "4 users[0].claims.phone_number_verified: must be true or false",
		},
		"a number for a text": {
			user + "birthdate: 1815", "4 users[0].claims.birthdate: must be a string: put it in quotes",
		},
		"one that the token says": {
			user + "sub: usr_root", "4 users[0].claims.sub: is a claim that the platform sets itself",
		},
	})

	all := user + "locale: en\n      phone_number: \"+44\"\n      phone_number_verified: true\n      address: {country: GB, formatted: null}\n      website: null"
	require.Empty(t, refusals(t, all, public))
}

func TestASchemeWithoutAPeriodNeedsTheOperatorsWord(t *testing.T) {
	app := func(kind, uri string, opted bool) string {
		return fmt.Sprintf("applications:\n  - client_id: a\n    name: A\n    type: %s\n    scope_level: GLOBAL\n    allow_undotted_schemes: %v\n    redirect_uris: [%q]", kind, opted, uri)
	}
	require.Empty(t, refusals(t, app("NATIVE", "myapp:/callback", true), public))
	require.Empty(t, refusals(t, app("NATIVE", "com.example.app:/callback", false), public))

	for _, refused := range []string{
		app("NATIVE", "myapp:/callback", false), app("SPA", "https://app.test/cb", true),
		app("NATIVE", "javascript:alert(1)", true),
		app("NATIVE", "mailto:x@y.test", true), app("NATIVE", "intent:/x", true),
		app("NATIVE", "http://app.test/cb", true),
	} {
		require.Len(t, refusals(t, refused, public), 1, refused)
	}
}
