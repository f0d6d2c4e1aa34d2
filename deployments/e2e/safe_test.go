package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// rowsOf returns everything in an SQLite database, as text by table, except what
// background tasks write.
func rowsOf(t *testing.T, db *database.DB) map[string]string {
	t.Helper()
	var tables []string
	require.NoError(t,
		db.Select(t.Context(), "test.tables", &tables, `SELECT name FROM sqlite_master WHERE type = 'table'
		AND name NOT LIKE 'sqlite_%' AND name NOT IN ('signing_keys', 'key_orders', 'change_versions', 'goose_db_version')`))
	require.NotEmpty(t, tables)

	all := map[string]string{}
	for _, table := range tables {
		var columns, lines []string
		require.NoError(t,
			db.Select(t.Context(), "test.columns", &columns, `SELECT name FROM pragma_table_info('`+table+`')`))
		require.NotEmpty(t, columns, table)
		line := "quote(" + strings.Join(columns, ") || ' ' || quote(") + ")"
		require.NoError(t,
			db.Select(t.Context(), "test.rows", &lines,
				`SELECT `+line+` FROM `+table+` ORDER BY 1`))
		all[table] = strings.Join(lines, "\n")
	}

	return all
}

// TestHeadChangesNothing: HEAD is safe (RFC 9110 9.2.1), whatever GET does. Link
// checkers and chat programs send it to every address that a person passes on: that
// must not sign anyone out, use up a flow, or count against a limit.
func TestHeadChangesNothing(t *testing.T) {
	s := together(t)
	rp := newRelyingParty(t, s, "web", webCallback, "openid", "profile")
	browser := formbrowser.New(t, "https://")
	a := newAttempt()
	tokens, _ := rp.redeem(t, a, rp.code(t, s, a, signIn(browser.Get(rp.begin(a)), "ada@acme.test")))
	waiting := browser.Get(rp.begin(newAttempt()) + "&prompt=login")
	require.Contains(t, waiting.URL.Path, "/auth/flows/")
	flow := strings.TrimPrefix(waiting.URL.Path, "/auth/flows/")

	db := s.database(t)
	queries := []url.Values{
		nil,
		{"flow": {flow}},
		{"id_token_hint": {tokens.Extra("id_token").(string)}},
		{"user_code": {"BBBB-BBBB"}},
		{"client_id": {"web"}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {webCallback}},
		{
			"client_id":     {"unknown"},
			"response_type": {"code"},
			"scope":         {"openid"},
			"redirect_uri":  {"https://evil.test"},
		},
	}

	before := rowsOf(t, db)

	for _, route := range api.Routes {
		path := strings.NewReplacer("{flow}", flow, "{file}", "unknown.css", "{slug}", "acme").Replace(route.Path)
		for _, query := range queries {
			for _, accept := range []string{"text/html,*/*;q=0.8", "*/*"} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodHead,
					s.Origin+path+"?"+query.Encode(), http.NoBody)
				require.NoError(t, err)
				r.Header.Set("Accept", accept)

				if route.Service == "token" {
					r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
				}

				for _, cookie := range browser.Cookies(s.Origin) {
					r.AddCookie(cookie)
				}

				res, err := http.DefaultTransport.RoundTrip(r)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Empty(t, res.Header.Values("Set-Cookie"), "%s?%s", path, query.Encode())
				require.Less(t, res.StatusCode, 500)
			}
		}
	}

	for table, rows := range rowsOf(t, db) {
		require.Equal(t, before[table], rows, table)
	}

	// The same by GET does change something, so the test above looks at the right rows.
	again := browser.Get(s.url("/oauth/logout") + "?" + queries[2].Encode())
	require.Equal(t, http.StatusOK, again.Status)
	require.NotEqual(t, before["sessions"], rowsOf(t, db)["sessions"])
}

// TestProgramsNeverHearHTML: Nimbus and scribejava, among others, send what
// java.net.HttpURLConnection puts into Accept, and cannot read a page (RFC 6749 5.2).
func TestProgramsNeverHearHTML(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		for _, accept := range []string{"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "text/html"} {
			header := http.Header{"Accept": {accept}}
			for _, route := range api.Routes {
				if route.Pages {
					continue
				}

				path := strings.NewReplacer("{file}", "unknown.css", "{slug}", "unknown").Replace(route.Path)
				for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
					res, body := exchange(t, method, s.Origin+path, "grant_type=nonsense", header.Clone())
					require.NotContains(t, res.Header.Get("Content-Type"), "html", "%s %s: %s", method, path, body)
				}
			}

			res, _ := exchange(t, http.MethodGet, s.url("/oauth/tokens"), "", header.Clone())
			require.Equal(t, http.StatusNotFound, res.StatusCode)
			require.NotContains(t, res.Header.Get("Content-Type"), "html")
		}

		page, _ := exchange(t, http.MethodGet, s.Origin+"/auth/typo", "", http.Header{"Accept": {"text/html"}})
		require.Equal(t, http.StatusNotFound, page.StatusCode)

		if s.together { // apart, the ingress answers paths that no service owns
			require.Contains(t, page.Header.Get("Content-Type"), "text/html", "a person mistypes")
		}
	})
}
