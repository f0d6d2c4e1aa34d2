package device_test

import (
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	assetHash  = regexp.MustCompile(`(/auth/assets/\w+)\.[\w-]+\.`)
	formToken  = regexp.MustCompile(`(name="csrf_token" value=")[^"]+`)
	sealedFlow = regexp.MustCompile(`(/auth/flows/)fls_[\w-]+`)
	reference  = regexp.MustCompile(`<code>[0-9a-f]{32}</code>`)
)

func TestPagesLookAsTheirGoldenFiles(t *testing.T) {
	for _, lang := range []string{"en", "de"} {
		t.Run(lang, func(t *testing.T) {
			w := newWorld(t, testkit.SQLite(t))
			headers := http.Header{"Accept-Language": {lang + "-XX,fr;q=0.5"}}
			_, session := w.signIn()
			show := func(name, code string, v visit) {
				t.Helper()
				v.page, v.headers = true, headers
				page := w.do(v)
				require.Contains(t, page.body, `<html lang="`+lang+`">`)
				require.Equal(t, lang, page.Header.Get("Content-Language"))
				require.NotRegexp(t, `<style|\sstyle=|\son\w+=|<script`, page.body)
				require.Equal(t, 1, strings.Count(page.body, "<h1>"), "one main heading")
				require.Equal(t,
					"default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
					page.Header.Get("Content-Security-Policy"))
				body := assetHash.ReplaceAllString(formToken.ReplaceAllString(page.body, "${1}TOKEN"), "$1.HASH.")
				body = reference.ReplaceAllString(body, "<code>REFERENCE</code>")
				body = sealedFlow.ReplaceAllString(body, "${1}FLOW")
				if code != "" {
					body = strings.ReplaceAll(body, code, "BCDF-GHJK")
				}

				file := filepath.Join("testdata", name+"."+lang+".html")
				if *update {
					require.NoError(t, os.MkdirAll("testdata", 0o750))
					require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
				}

				want, err := os.ReadFile(file)
				require.NoError(t, err, "run the test with -update to write it")
				require.Equal(t, string(want), body)
			}

			show("enter", "", visit{path: pagePath})
			show("enter_unknown", "", visit{path: pagePath, query: url.Values{"user_code": {`"><script>`}}})

			for _, action := range []string{"approve", "deny"} {
				code := w.device()
				if action == "approve" {
					show(action, code, visit{path: pagePath, session: session, query: url.Values{"user_code": {code}}})
				}

				if action == "approve" { // RFC 8628 5.4: a code that an attacker sent comes from elsewhere
					show("approve_elsewhere", code, visit{
						path:    pagePath,
						session: session,
						from:    there,
						query:   url.Values{"user_code": {code}},
					})
				}

				decided := w.do(visit{
					method:  http.MethodPost,
					path:    verifyPath,
					page:    true,
					session: session,
					form: url.Values{
						"user_code": {code}, "action": {action}, "csrf_token": {w.csrf(code, session)},
					},
				})

				require.Equal(t, http.StatusSeeOther, decided.StatusCode)
				show(action+"_done", code,
					visit{path: pagePath, session: session, query: url.Values{"user_code": {code}}})
			}

			w.exec(`UPDATE users SET email = 'ada@xn--bcher-kva.test' WHERE id = $1`, ada)
			code := w.device()
			show("approve_international", code,
				visit{path: pagePath, session: session, query: url.Values{"user_code": {code}}})

			show("sign_in_gone", "", visit{path: pagePath, query: url.Values{"flow": {"flw_nothing"}}})
			_, guesser := w.signInAs(grace)
			w.guess(10, here, guesser)
			show("limited", "",
				visit{path: pagePath, session: guesser, query: url.Values{"user_code": {"BBBB-BBBB"}}})

			w.exec(`UPDATE limits SET failures = 12800000`)
			w.guess(1, there, session)
			show("sign_in_first", "", visit{path: pagePath, from: there, query: url.Values{"user_code": {"BCDF-GHJK"}}})
		})
	}
}

// RFC 6585 4: what needs no credentials must not fill the store.
func TestALookAtACodeStoresNothing(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	code := w.device()
	look := func() {
		res := w.do(visit{
			path:  pagePath,
			page:  true,
			from:  here,
			query: url.Values{"user_code": {code}},
		})

		require.Equal(t, http.StatusSeeOther, res.StatusCode)
	}

	look() // a guess is counted before the code is looked up, and given back when it was right
	before := w.count(`SELECT count(*) FROM limits`)

	for range 100 {
		look()
	}

	require.Zero(t, w.count(`SELECT count(*) FROM authorization_requests`))
	require.Equal(t, before, w.count(`SELECT count(*) FROM limits`))
}

// RFC 8628 5.1: a client that knows a public client_id may ask, but not without end.
func TestAnAddressGetsSoManyDeviceCodes(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	ask := func(from string) *reply {
		return w.do(visit{
			method: http.MethodPost,
			path:   authorizePath,
			from:   from,
			form:   url.Values{"client_id": {"tv"}},
		})
	}
	for range 60 {
		require.Equal(t, http.StatusOK, ask(here).StatusCode)
	}

	refused := ask(here)
	require.Equal(t, http.StatusTooManyRequests, refused.StatusCode)
	require.NotEmpty(t, refused.Header.Get("Retry-After"))
	require.Equal(t, 60, w.count(`SELECT count(*) FROM device_codes`))
	require.Equal(t, http.StatusOK, ask(there).StatusCode)
}
