package webui_test

import (
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/webui"
)

var update = flag.Bool("update", false, "write the golden files")

var assetHash = regexp.MustCompile(`(/auth/assets/\w+)\.[\w-]+\.`)

// golden compares a page with its file; hashes of assets do not count.
func golden(t *testing.T, name, body string) {
	t.Helper()
	body = assetHash.ReplaceAllString(body, "$1.HASH.")
	file := filepath.Join("testdata", name+".html")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
	}

	want, err := os.ReadFile(file)
	require.NoError(t, err, "run the test with -update to write it")
	require.Equal(t, string(want), body)
}

func newUI(t *testing.T) *webui.UI {
	t.Helper()
	ui, err := webui.New()
	require.NoError(t, err)
	return ui
}

func get(target string) *http.Request { return httptest.NewRequest(http.MethodGet, target, nil) }

// RFC 9110 15: the page has the answer's status. Each status that there are words
// for has a page here.
func TestErrorPagesSayWhatHappenedWhatToDoAndTheReference(t *testing.T) {
	pages := map[string]httpkit.Problem{
		"error_unauthorized": {
			Status:      401,
			Code:        oauth.InvalidToken,
			Description: "the token has expired",
			Reference:   "4bf92f35",
		},
		"error_forbidden": {
			Status:      403,
			Code:        oauth.InsufficientScope,
			Description: "openid is needed",
			Reference:   "4bf92f35",
		},
		"error_method": {Status: 405, Description: "Method Not Allowed", Reference: "4bf92f35"},
		"error_too_large": {
			Status:      413,
			Code:        oauth.InvalidRequest,
			Description: "larger than 32768 bytes",
			Reference:   "4bf92f35",
		},
		"error_invalid_request": {
			Status:      400,
			Code:        oauth.InvalidRequest,
			Description: "redirect_uri is not registered",
			Reference:   "4bf92f35",
		},
		"error_missing": {
			Status:    422,
			Code:      oauth.InvalidRequest,
			Missing:   []string{"client_id", "scope"},
			Reference: "4bf92f35",
		},
		"error_not_found": {Status: 404},
		"error_limited": {
			Status:      429,
			Code:        "too_many_requests",
			Description: "too many failures",
			Reference:   "4bf92f35",
		},
		"error_server":         {Status: 500, Code: oauth.ServerError, Reference: "4bf92f35"},
		"error_unavailable":    {Status: 503, Code: oauth.TemporarilyUnavailable, Reference: "4bf92f35"},
		"error_unknown_status": {Status: 418, Description: "<script>alert(1)</script>"},
	}

	content, err := os.ReadFile("messages/en.json")
	require.NoError(t, err)
	var texts map[string]string
	require.NoError(t, json.Unmarshal(content, &texts))

	for key := range texts {
		if words := regexp.MustCompile(`^error\.(\d+)\.title$`).FindStringSubmatch(key); words != nil {
			require.True(t,
				slices.ContainsFunc(slices.Collect(maps.Values(pages)),
					func(p httpkit.Problem) bool { return strconv.Itoa(p.Status) == words[1] }), key)
		}
	}

	for name, p := range pages {
		for _, lang := range []string{"en", "de"} {
			t.Run(name+"."+lang, func(t *testing.T) {
				r := get("/x")
				r.Header.Set("Accept-Language", lang)
				w := httptest.NewRecorder()
				newUI(t).ErrorPage(w, r, p)
				require.Equal(t, p.Status, w.Code)
				require.Equal(t, lang, w.Header().Get("Content-Language"))
				golden(t, name+"."+lang, w.Body.String())
			})
		}
	}
}

func TestFormPostPagePostsByScriptOrByButton(t *testing.T) {
	for _, lang := range []string{"en", "de"} {
		w, r := httptest.NewRecorder(), get("/x")
		r.Header.Set("Accept-Language", lang)
		newUI(t).FormPost(w, r, "https://rp.test/cb?tenant=a&b=c", url.Values{
			"state": {`"><script>`}, "code": {"SplxlOBeZQQYbYS6WxSbIA"}, "iss": {"https://op.test"},
		})
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t,
			"default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; script-src 'self'",
			w.Header().Get("Content-Security-Policy"))
		golden(t, "form_post."+lang, w.Body.String())
	}
}

func TestFormPostRefusesWhatRegistrationRefuses(t *testing.T) {
	for _, uri := range []string{"javascript:alert(1)", "data:text/html,x", "https://rp.test/#x", "/relative"} {
		require.Panics(t, func() { newUI(t).FormPost(httptest.NewRecorder(), get("/x"), uri, nil) }, uri)
	}
}

func TestEveryPageCarriesStrictHeaders(t *testing.T) {
	w, german := httptest.NewRecorder(), httptest.NewRecorder()
	r := get("/x")
	r.Header.Set("Accept-Language", "de")
	newUI(t).Message(german, r, http.StatusNotFound,
		webui.Message{Title: "Fertig", Lead: "Weg.", Reference: "4bf92f35"}, webui.PageOptions{})
	golden(t, "message.de", german.Body.String())
	newUI(t).Message(w, get("/x"), http.StatusOK, webui.Message{
		Title: "Done", Lead: "You can close this page.",
		Link: &webui.Link{Href: "com.example.app:/cb", Label: "Return"},
	}, webui.PageOptions{LeadsAway: true})
	const policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
	h := w.Header()
	require.Equal(t, policy, h.Get("Content-Security-Policy"))
	require.Equal(t, policy+"; form-action 'self'", german.Header().Get("Content-Security-Policy"))
	require.Equal(t, "same-origin", h.Get("Cross-Origin-Opener-Policy"))
	require.Equal(t, "no-store", h.Get("Cache-Control"))
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	require.Equal(t, "no-referrer", h.Get("Referrer-Policy"))
	require.Equal(t, "DENY", h.Get("X-Frame-Options"))
	golden(t, "message.en", w.Body.String())
}

func TestAMessageLinksOnlyToOursAndToRegisteredURIs(t *testing.T) {
	for href, want := range map[string]string{
		"/auth/flows/x":        "/auth/flows/x",
		"https://rp.test/bye":  "https://rp.test/bye",
		"com.example.app:/bye": "com.example.app:/bye",
		"javascript:alert(1)":  "#",
		"http://evil.test/":    "#",
		"//evil.test/":         "#",
		`/\evil.test`:          "#",
	} {
		require.Equal(t, want, string(webui.Link{Href: href}.URL()), href)
	}
}

func TestAssetsAreCachedForEverUnderTheirHash(t *testing.T) {
	ui := newUI(t)
	name := strings.TrimPrefix(ui.StylesheetPath(), webui.AssetPrefix)

	w := httptest.NewRecorder()
	require.True(t, ui.ServeAsset(w, get(ui.StylesheetPath()), name))
	require.Equal(t, "public, max-age=31536000, immutable", w.Header().Get("Cache-Control"))
	require.Equal(t, "text/css; charset=utf-8", w.Header().Get("Content-Type"))
	require.NotEmpty(t, w.Body.Bytes())

	w = httptest.NewRecorder()
	require.True(t, ui.ServeAsset(w, get("/x"), "platform.AnotherVersion.css"),
		"a page of another version still has its style")
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))

	for _, unknown := range []string{"", "platform.css", "other.hash.css", "..", "../webui.go", "platform.x.y.css"} {
		w = httptest.NewRecorder()
		require.False(t, ui.ServeAsset(w, get("/x"), unknown), unknown)
		require.Empty(t, w.Header())
	}
}

func TestNoPageHoldsInlineStyleOrScript(t *testing.T) {
	for _, dir := range []string{"templates", "testdata"} {
		files, err := filepath.Glob(dir + "/*.html")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NotRegexp(t, `<style|\sstyle=|\son\w+=|<script>|javascript:`, string(content), file)
		}
	}
}

func TestAnInvalidFieldIsTiedToItsErrorAndTheSummaryLinksToIt(t *testing.T) {
	ui := newUI(t)
	page, err := ui.Page(fstest.MapFS{"p.html": {Data: []byte(
		`{{define "content"}}{{template "field" .Data}}{{end}}`)}}, "p.html")
	require.NoError(t, err)
	field := webui.Field{
		Name:         "email",
		Label:        "Email",
		Type:         "email",
		Value:        `a"b`,
		Hint:         "As on your badge.",
		Error:        "Enter an address.",
		Autocomplete: "username",
		InputMode:    "email",
		Autocapital:  "none",
		MaxLength:    254,
		Required:     true,
		Autofocus:    true,
	}

	w := httptest.NewRecorder()
	ui.Render(w, get("/x"), http.StatusUnprocessableEntity, page,
		webui.View{Title: "Sign in", Invalid: []webui.Field{field}, Data: field}, webui.PageOptions{})
	golden(t, "field", w.Body.String())
}

func TestAPageThatCannotBeRenderedPanicsBeforeAnythingIsWritten(t *testing.T) {
	ui := newUI(t)
	page, err := ui.Page(fstest.MapFS{"p.html": {Data: []byte(`{{define "content"}}{{.Data.Nope}}{{end}}`)}}, "p.html")
	require.NoError(t, err)
	w := httptest.NewRecorder()
	require.Panics(t, func() { ui.Render(w, get("/x"), 200, page, webui.View{Data: struct{}{}}, webui.PageOptions{}) })
	require.Empty(t, w.Header())
}

func TestAPageWithoutContentIsRefused(t *testing.T) {
	_, err := newUI(t).Page(fstest.MapFS{"p.html": {Data: []byte(`{{define "x"}}{{end}}`)}}, "p.html")
	require.ErrorContains(t, err, "content")
}

func TestTheLanguageIsTheRequestsThenTheBrowsers(t *testing.T) {
	ui := newUI(t)
	c, err := ui.Catalogue(fstest.MapFS{
		"en.json": {Data: []byte(`{"hello":"Hello %[2]s %[1]s"}`)},
		"de.json": {Data: []byte(`{"hello":"Hallo %[2]s %[1]s"}`)},
	})
	require.NoError(t, err)

	for name, want := range map[string]struct{ locales, accept, lang string }{
		"nothing said":              {"", "", "en"},
		"the browser's":             {"", "fr;q=1, de-CH;q=0.9", "de"},
		"the request's first":       {"de en", "en", "de"},
		"an unknown one":            {"tlh", "", "en"},
		"nonsense":                  {"\x00 !!", ";;;;q=", "en"},
		"an overlong header":        {"", strings.Repeat("de,", 200), "en"},
		"the browser's after other": {"fr", "de", "de"},
	} {
		t.Run(name, func(t *testing.T) {
			r := get("/x")
			r.Header.Set("Accept-Language", want.accept)
			require.Equal(t, want.lang, c.For(r, want.locales).Lang())
		})
	}

	require.Equal(t, "Hello b a", c.For(get("/x"), "en").T("hello", "a", "b"))
	require.Equal(t, "no.such.key", c.For(get("/x"), "en").T("no.such.key"))
}

func TestALanguageWithAGapIsRefused(t *testing.T) {
	for name, texts := range map[string]fstest.MapFS{
		"a language of its own": {"fr.json": {Data: []byte(`{"frame.brand":"Platform"}`)}},
		"one of ours":           {"en.json": {Data: []byte(`{"hello":"Hello"}`)}},
	} {
		_, err := newUI(t).Catalogue(texts)
		require.ErrorContains(t, err, "lack", name)
	}
}

func TestScopesAreDescribedInWordsOrShownByName(t *testing.T) {
	c, err := newUI(t).Catalogue(fstest.MapFS{})
	require.NoError(t, err)
	require.Equal(t, []webui.ScopeLine{{Name: "email", Text: "See your email address"}, {Name: "api:read"}},
		c.For(get("/x"), "").Scopes([]string{"email", "api:read"}))
}

func TestEveryTextThatATemplateNamesExists(t *testing.T) {
	c, err := newUI(t).Catalogue(fstest.MapFS{})
	require.NoError(t, err)
	files, err := filepath.Glob("templates/*.html")
	require.NoError(t, err)
	named := regexp.MustCompile(`\.T "([^"]+)"`)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range named.FindAllStringSubmatch(string(content), -1) {
			require.True(t, c.For(get("/x"), "").Has(match[1]), "%s in %s", match[1], file)
		}
	}
}

// FuzzLanguages sends anything as ui_locales (OpenID Connect Core 3.1.2.1) and
// Accept-Language (RFC 9110 12.5.4): the page is in a language that there is.
func FuzzLanguages(f *testing.F) {
	f.Add("de en", "fr;q=1, de-CH;q=0.9")
	f.Add("x-i-default \x00 und-u-", ";;;;q=,*;q=1.5,de;q=-1")
	ui, err := webui.New()
	require.NoError(f, err)
	texts, err := ui.Catalogue(fstest.MapFS{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, locales, accept string) {
		r := get("/x")
		r.Header.Set("Accept-Language", accept)
		require.Contains(t, []string{"en", "de"}, texts.For(r, locales).Lang())
	})
}
