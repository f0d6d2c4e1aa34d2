package httpapi

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

var update = flag.Bool("update", false, "write the golden files")

var assetHash = regexp.MustCompile(`(/auth/assets/\w+)\.[\w-]+\.`)

const testBrowser = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func newTestAPI(t *testing.T) *api {
	t.Helper()
	gin.SetMode(gin.TestMode)
	ui, err := webui.New()
	require.NoError(t, err)
	a := &api{Options: Options{UI: ui}}
	require.NoError(t, a.load())
	return a
}

func testVisit() *app.Visit {
	acme := directory.Tenant{ID: "tnt_acme", Slug: "acme", Name: "Acme Corp", Active: true}
	return &app.Visit{Situation: domain.Situation{
		Request: &grants.AuthorizationRequest{
			ID: "req_golden", Kind: grants.KindAuthorize, RedirectURI: "https://billing.test/callback",
			Scope:      oauth.Scopes{"openid", "profile", "email", "offline_access", "invoices:read"},
			LoginEmail: "ada@acme.test",
		},
		App:     &directory.Application{ClientID: "billing", Name: "Billing", Type: directory.Web, Active: true},
		Session: &sessions.Session{ID: "ses_1", UserID: "usr_1", TenantID: "tnt_acme"},
		User:    &directory.User{ID: "usr_1", Email: "ada@acme.test", Name: "Ada Lovelace", Active: true},
		Tenants: []directory.Tenant{acme, {ID: "tnt_north", Slug: "north", Name: "Northwind Traders", Active: true}},
		Home:    &acme,
	}}
}

func TestPagesLookAsTheirGoldenFiles(t *testing.T) {
	a := newTestAPI(t)
	for name, show := range map[string]func(c *gin.Context, v *app.Visit){
		"email": func(c *gin.Context, v *app.Visit) { a.emailPage(c, v, http.StatusOK, "", "") },
		"email_invalid": func(c *gin.Context, v *app.Visit) {
			a.emailPage(c, v, http.StatusUnprocessableEntity, `ada"><script>`, "email.invalid")
		},
		"password":       func(c *gin.Context, v *app.Visit) { v.Home = nil; a.passwordPage(c, v, "") },
		"password_wrong": func(c *gin.Context, v *app.Visit) { a.passwordPage(c, v, problemPassword) },
		"password_empty": func(c *gin.Context, v *app.Visit) { a.passwordPage(c, v, problemEmpty) },
		"sso":            a.ssoPage,
		"no_tenant":      a.noTenantPage,
		"tenant":         a.tenantPage,
		"account":        a.accountPage,
		"consent":        a.consentPage,
		"consent_native": func(c *gin.Context, v *app.Visit) {
			v.Request.RedirectURI, v.App.Type, v.App.Name = "com.example.notes:/cb", directory.Native, "Notes <i>"
			a.consentPage(c, v)
		},
		"logout": func(c *gin.Context, v *app.Visit) {
			a.confirm(c, &app.Logout{App: v.App, Person: v.User, Session: v.Session, ReturnTo: "https://billing.test/bye?x=1&state=s"}, &httpkit.Params{})
		},
		"signed_out": func(c *gin.Context, v *app.Visit) {
			a.signedOutPage(c, &app.Logout{App: v.App, ReturnTo: "https://billing.test/bye"}, &httpkit.Params{})
		},
		"flow_unknown":  func(c *gin.Context, _ *app.Visit) { a.fail(c, app.ErrFlowUnknown) },
		"flow_expired":  func(c *gin.Context, _ *app.Visit) { a.fail(c, app.ErrFlowExpired) },
		"flow_finished": func(c *gin.Context, _ *app.Visit) { a.fail(c, app.ErrFlowFinished) },
		"flow_browser":  func(c *gin.Context, _ *app.Visit) { a.fail(c, app.ErrOtherBrowser) },
		"flow_csrf":     func(c *gin.Context, _ *app.Visit) { a.fail(c, errCSRF) },
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			c, _ := gin.CreateTestContext(w)
			c.Request = httptest.NewRequest(http.MethodGet, "/auth/flows/req_golden", nil)
			c.Request.AddCookie(&http.Cookie{Name: "platform_browser", Value: testBrowser})
			c.Params = gin.Params{{Key: "flow", Value: "req_golden"}}
			show(c, testVisit())
			golden(t, name, w.Body.String())
			require.Regexp(t, `^default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'( https://billing\.test| com\.example\.notes:)?; frame-ancestors 'none'; base-uri 'none'$`,
				w.Header().Get("Content-Security-Policy"))
		})
	}
}

func golden(t *testing.T, name, body string) {
	t.Helper()
	require.NotRegexp(t, `<style|\sstyle=|\son\w+=|<script`, body)
	require.Equal(t, 1, len(regexp.MustCompile(`<h1>`).FindAllString(body, -1)), "one main heading")
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

func TestEveryTextIsUsedAndEveryUsedTextExists(t *testing.T) {
	a := newTestAPI(t)
	used := map[string]bool{}
	named := regexp.MustCompile(`"([a-z_]+(?:\.[a-z_]+)+|to_continue)"`)
	for _, pattern := range []string{"*.go", "templates/*.html"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, match := range named.FindAllStringSubmatch(string(content), -1) {
				used[match[1]] = true
			}
		}
	}
	own, err := a.UI.Catalogue(os.DirFS("messages"))
	require.NoError(t, err)
	for _, key := range own.Keys() {
		switch regexp.MustCompile(`^[a-z_]+`).FindString(key) {
		case "frame", "error", "form_post", "scope", "flow": // webui's, or made of parts
			continue
		}
		require.True(t, used[key], "%s is not used", key)
	}
	for _, prefix := range []string{"flow.unknown", "flow.expired", "flow.finished", "flow.browser", "flow.csrf"} {
		for _, part := range []string{".title", ".what", ".do"} {
			require.Contains(t, own.Keys(), prefix+part)
		}
	}
}

func TestABadgeShowsTheFirstLetter(t *testing.T) {
	for name, want := range map[string]string{"Acme": "A", "éclair": "É", "  «north»": "N", "3M": "3", "…": "?", "": "?"} {
		require.Equal(t, want, initial(name), name)
	}
}
