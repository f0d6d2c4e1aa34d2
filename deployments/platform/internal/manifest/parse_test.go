package manifest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
)

func TestAFileIsReadStrictly(t *testing.T) {
	check(t, map[string]refusal{
		"no YAML":                 {"tenants: [", "1 :"},
		"tabs":                    {"tenants:\n\t- slug: a", "2 :"},
		"bytes that aren't UTF-8": {"tenants: \xff", "0 : is not UTF-8"},
		"two documents":           {"tenants: []\n---\nusers: []", "0 : has more than one document"},
		"a list":                  {"- a", "1 : must be a mapping of keys to values, not a list"},
		"a word":                  {"tenants", "1 : must be a mapping of keys to values, not a string"},
		"an unknown section":      {"tenants: []\nclients: []", "2 clients: unknown key"},
		"an unknown key": {
			web + "redirect_uri: https://app.test", "6 applications[0].redirect_uri: unknown key",
		},
		"a section twice": {
			"tenants: []\nusers: []\ntenants: []", "3 tenants: appears twice, first in line 1",
		},
		"a key twice": {
			web + "name: Other", "6 applications[0].name: appears twice, first in line 3",
		},
		"a mapping for a list": {"tenants:\n  slug: a", "2 tenants: must be a list, not a mapping"},
		"a word for a list": {
			web + "scopes: openid", "6 applications[0].scopes: must be a list, not a string",
		},
		"a word for a mapping": {
			"users:\n  - ada@acme.test", "2 users[0]: must be a mapping of keys to values, not a string",
		},
		"nothing for a mapping": {"users:\n  -", "users[0]: must be a mapping of keys to values, not nothing"},
		"a list for a string": {
			strings.Replace(web, "name: App", "name: [App]", 1), "3 applications[0].name: must be a string, not a list",
		},
		"a number for a password": {
			"users:\n  - email: ada@acme.test\n    password: 0123",
			"3 users[0].password: must be a string, not a number: put it in quotes",
		},
		"a truth for a string": {
			strings.Replace(web, "name: App", "name: true", 1), "must be a string, not true or false: put it in quotes",
		},
		"a number in a list": {
			web + "scopes:\n      - openid\n      - 7", "8 applications[0].scopes[1]: must be a string, not a number",
		},
		"yes": {
			web + "first_party: yes", "6 applications[0].first_party: must be true or false, not a string",
		},
		"claims that are a list": {
			"users:\n  - email: ada@acme.test\n    claims: [x]", "3 users[0].claims: must be a mapping",
		},
		"a NUL": {
			strings.Replace(web, "name: App", `name: "A\0"`, 1), "3 applications[0].name: contains a NUL",
		},
		"a NUL in a claim": {
			"users:\n  - email: ada@acme.test\n    claims: {address: {country: \"\\0\"}}",
			"3 users[0].claims.address.country: contains a NUL",
		},
		"an alias": {
			"tenants:\n  - {slug: a, name: A}\nusers: *all", "3 users: must be a list, not an anchor or alias",
		},
		"a merge": {
			web + "<<: {first_party: true}", "6 applications[0]: has a key that isn't a string",
		},
		"a tagged value": {
			strings.Replace(web, "name: App", "name: !!binary QQ==", 1),
			"3 applications[0].name: must be a string, not a tagged value",
		},
		"a mapping for a key": {
			"users:\n  - email: ada@acme.test\n    claims:\n      ? [a]\n      : c", "5 : found an invalid key",
		},
		"a secret of the wrong type": {
			web + "client_secret: [hunter2]", "6 applications[0].client_secret: must be a string, not a list",
		},
		"a text block that holds a NUL": {
			"users:\n  - email: ada@acme.test\n    name: |\n      a\n    given_name: \"\\u0000\"",
			"5 users[0].given_name: contains a NUL",
		},
	})
}

func TestAFileMaySayNothing(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                      "",
		"blank":                      "\n\n",
		"a comment":                  "# later\n",
		"null":                       "null",
		"a separator":                "---\n",
		"null sections":              "tenants:\nusers: null\n",
		"a comment behind a section": "tenants:\n  # none yet\n",
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := manifest.Parse("platform.yaml", strings.NewReader(text))
			require.NoError(t, err)
			require.NoError(t, doc.Validate(public))
			require.Nil(t, doc.Tenants, "nothing is said about tenants, so --prune leaves them")
		})
	}

	doc, err := manifest.Parse("platform.yaml", strings.NewReader("tenants: []"))
	require.NoError(t, err)
	require.NotNil(t, doc.Tenants, "it is said that there are none")
}

func TestEveryProblemIsToldAtOnceInTheOrderOfLines(t *testing.T) {
	require.Equal(t, []string{
		`2 tenants[0].slug: must be a string, not a number: put it in quotes`,
		`3 tenants[0].domain: unknown key`,
		`4 tenants[0].name: appears twice, first in line 2`,
		`6 users[0].email: must be one e-mail address`,
		`8 users[1].tenants: must be a list, not a string`,
		`10 applications[0].scope_level: must be GLOBAL or TENANT`,
		`11 applications[0].type: must be WEB, SPA, NATIVE or SERVICE`,
		`12 applications[0].access_token_ttl: must be a duration such as 90s, 15m or 720h`,
		`13 applications[0].grants[1]: must be a string, not nothing`,
		`13 applications[0].grants[2]: "implicit" isn't a grant: want authorization_code, refresh_token, client_credentials, device_code or token_exchange`,
	}, refusals(t, `tenants:
  - {slug: 7, name: Acme,
     domain: acme.test,
     name: Again}
users:
  - email: nobody
  - email: ada@acme.test
    tenants: acme
applications:
  - client_id: app
    type: web
    access_token_ttl: 1 hour
    grants: [device_code, null, implicit]
    name: App
`, public))
}

func TestAFileThatCannotBeRead(t *testing.T) {
	broken := errors.New("the disk is gone")
	_, err := manifest.Parse("platform.yaml", iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "read platform.yaml")
}

func FuzzParseAndValidate(f *testing.F) {
	example, err := os.ReadFile(filepath.Join("testdata", "example.yaml"))
	require.NoError(f, err)
	f.Add(string(example))

	for _, text := range []string{
		"", "null", "- a", "tenants: [", "users: &a [*a]", "? {a: b}\n: c", "tenants:\n  - <<: *x",
		"users:\n  - claims: {a: {b: [1, .nan]}}",
		"applications:\n  - refresh_grace: 1s\n    jwks: {}\n", "tenants: !!set {a}",
		"%YAML 1.2\n---\nusers: |\n  x", "a: b: c",
	} {
		f.Add(text)
	}

	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "client_secret_file") {
			t.Skip("it would open files")
		}

		doc, err := manifest.Parse("platform.yaml", strings.NewReader(text))
		if err == nil {
			err = doc.Validate(public)
		}

		var problems manifest.Problems
		if err != nil {
			require.ErrorAs(t, err, &problems)
			require.NotEmpty(t, problems)
		}
	})
}
