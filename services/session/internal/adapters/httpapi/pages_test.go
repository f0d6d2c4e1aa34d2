package httpapi

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

var update = flag.Bool("update", false, "write the golden files")

var assetHash = regexp.MustCompile(`(/auth/assets/\w+)\.[\w-]+\.`)

var reference = regexp.MustCompile(`<code>[0-9a-f]{32}</code>`)

// RFC 6749 10.13 and RFC 9700 4.16: no page can be framed, none runs script, and forms
// post to us and the flow's own application only.
func TestPagesLookAsTheirGoldenFiles(t *testing.T) {
	a := newTestPages(t)
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
		"consent_resource": func(c *gin.Context, v *app.Visit) {
			v.Request.Resource = "https://api.billing.test/<v1>"
			a.consentPage(c, v)
		},
		"consent_native": func(c *gin.Context, v *app.Visit) {
			v.Request.Authorize.RedirectURI, v.App.Type, v.App.Name = "com.example.notes:/cb", directory.Native, "Notes <i>"
			a.consentPage(c, v)
		},
		"consent_development": func(c *gin.Context, v *app.Visit) {
			v.Request.Authorize.RedirectURI, v.App.Development = "http://127.0.0.1:3000/cb", true
			a.consentPage(c, v)
		},
		"logout": func(c *gin.Context, v *app.Visit) {
			a.confirm(c, &app.PreparedLogout{
				App:      v.App,
				Person:   v.User,
				Session:  v.Session,
				ReturnTo: "https://billing.test/bye?x=1&state=s",
			}, &httpkit.Params{})
		},
		"signed_out": func(c *gin.Context, v *app.Visit) {
			a.signedOutPage(c, &app.PreparedLogout{App: v.App, ReturnTo: "https://billing.test/bye"}, &httpkit.Params{})
		},
		"flow_unknown": func(c *gin.Context, _ *app.Visit) {
			c.Params[0].Value = "req_nothing"
			a.fail(c, app.ErrFlowUnknown)
		},
		"flow_over": func(c *gin.Context, _ *app.Visit) { a.fail(c, app.ErrFlowOver) },
		"flow_begin": func(c *gin.Context, _ *app.Visit) {
			c.Params[0].Value = "req_begin"
			a.fail(c, app.ErrFlowExpired)
		},
		"flow_device": func(c *gin.Context, _ *app.Visit) {
			c.Params[0].Value = "req_device"
			a.fail(c, app.ErrOtherBrowser)
		},
		"flow_account": func(c *gin.Context, _ *app.Visit) {
			c.Params[0].Value = "req_account"
			a.fail(c, app.ErrFlowFinished)
		},
		"flow_expired":  func(c *gin.Context, _ *app.Visit) { a.fail(c, app.ErrFlowExpired) },
		"flow_finished": func(c *gin.Context, _ *app.Visit) { a.fail(c, app.ErrFlowFinished) },
		"flow_browser":  func(c *gin.Context, _ *app.Visit) { a.fail(c, app.ErrOtherBrowser) },
		"limited":       func(c *gin.Context, _ *app.Visit) { a.fail(c, &limits.Error{After: 61 * time.Second}) },
		"accounts": func(c *gin.Context, v *app.Visit) {
			bob := &directory.User{ID: "usr_2", Email: "bob@north.test"}
			v.Others = []domain.Account{{
				Session: &sessions.Session{ID: "ses_9", UserID: "usr_2", TenantID: "tnt_north"},
				User:    bob,
				Tenants: v.Tenants,
			}}
			a.accountPage(c, v)
		},
		"email_account": func(c *gin.Context, v *app.Visit) {
			v.Request.Kind, v.App, v.Request.Authorize = grants.KindAccount, nil, nil
			a.emailPage(c, v, http.StatusOK, "", "")
		},
		"email_device": func(c *gin.Context, v *app.Visit) {
			v.Request.Kind, v.App, v.Request.Authorize = grants.KindDevice, nil, nil
			a.emailPage(c, v, http.StatusOK, "", "")
		},
		"international_email":    func(c *gin.Context, v *app.Visit) { a.emailPage(c, abroad(v), http.StatusOK, emailValue(v), "") },
		"international_password": func(c *gin.Context, v *app.Visit) { a.passwordPage(c, abroad(v), "") },
		"international_tenantless": func(c *gin.Context, v *app.Visit) {
			a.noTenantPage(c, abroad(v))
		},
		"international_account": func(c *gin.Context, v *app.Visit) { a.accountPage(c, abroad(v)) },
		"international_consent": func(c *gin.Context, v *app.Visit) { a.consentPage(c, abroad(v)) },
		"international_logout": func(c *gin.Context, v *app.Visit) {
			a.confirm(c, &app.PreparedLogout{Person: abroad(v).User, Session: v.Session}, &httpkit.Params{})
		},
		"international_me": func(c *gin.Context, v *app.Visit) {
			p := testProfile()
			p.User = abroad(v).User
			a.profilePage(c, p)
		},
		"international_new_password": func(c *gin.Context, v *app.Visit) {
			me := testProfile().Me
			me.User = abroad(v).User
			a.newPasswordPage(c, me, http.StatusOK, "", true)
		},
		"entrance": func(c *gin.Context, v *app.Visit) { a.entrancePage(c, http.StatusOK, v.Home, "", "") },
		"entrance_invalid": func(c *gin.Context,
			v *app.Visit,
		) {
			a.entrancePage(c, http.StatusOK, v.Home, "x", "email.invalid")
		},
		"me": func(c *gin.Context, _ *app.Visit) { a.profilePage(c, testProfile()) },
		"me_done": func(c *gin.Context, _ *app.Visit) {
			c.Request.URL.RawQuery = "done=password"
			p := testProfile()
			p.Devices, p.Allowances, p.HasPassword, p.User.Name = p.Devices[:1], nil, false, ""
			a.profilePage(c, p)
		},
		"new_password": func(c *gin.Context,
			_ *app.Visit,
		) {
			a.newPasswordPage(c, testProfile().Me, http.StatusOK, "", true)
		},
		"new_password_short": func(c *gin.Context, _ *app.Visit) {
			a.newPasswordPage(c, testProfile().Me, http.StatusUnprocessableEntity, domain.PasswordShort, false)
		},
		"me_done_session":     func(c *gin.Context, _ *app.Visit) { doneWith(a, c, "session") },
		"me_done_others":      func(c *gin.Context, _ *app.Visit) { doneWith(a, c, "others") },
		"me_done_application": func(c *gin.Context, _ *app.Visit) { doneWith(a, c, "application") },
		"logout_plain": func(c *gin.Context, v *app.Visit) {
			a.confirm(c, &app.PreparedLogout{Person: v.User, Session: v.Session}, &httpkit.Params{})
		},
		"signed_out_plain": func(c *gin.Context,
			_ *app.Visit,
		) {
			a.signedOutPage(c, &app.PreparedLogout{}, &httpkit.Params{})
		},
		"new_password_long":     func(c *gin.Context, _ *app.Visit) { refusedWith(a, c, domain.PasswordLong) },
		"new_password_email":    func(c *gin.Context, _ *app.Visit) { refusedWith(a, c, domain.PasswordEmail) },
		"new_password_repeated": func(c *gin.Context, _ *app.Visit) { refusedWith(a, c, domain.PasswordRepeated) },
		"new_password_stale":    func(c *gin.Context, _ *app.Visit) { refusedWith(a, c, domain.PasswordStale) },
		"new_password_wrong": func(c *gin.Context, _ *app.Visit) {
			a.newPasswordPage(c, testProfile().Me, http.StatusUnprocessableEntity, domain.PasswordCurrent, true)
		},
	} {
		for _, lang := range []string{"en", "de"} {
			t.Run(name+"."+lang, func(t *testing.T) {
				w := httptest.NewRecorder()
				c, _ := gin.CreateTestContext(w)
				c.Request = httptest.NewRequest(http.MethodGet, "/auth/flows/req_golden", nil)
				c.Request.Header.Set("Accept-Language", lang+"-XX,fr;q=0.5")
				c.Request.Header.Set("Accept", "text/html")
				c.Request.AddCookie(&http.Cookie{Name: "platform_browser", Value: testBrowser})
				c.Params = gin.Params{{Key: "flow", Value: "req_golden"}}
				show(c, testVisit())
				golden(t, name+"."+lang, w.Body.String())
				require.Contains(t, w.Body.String(), `<html lang="`+lang+`">`)
				require.Equal(t, lang, w.Header().Get("Content-Language"))
				require.Contains(t, w.Header().Values("Vary"), "Accept-Language")
				require.Regexp(t,
					`^default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'(; form-action 'self')?$`,
					w.Header().Get("Content-Security-Policy"))
				requireOwnFormsOnly(t, w.Body.String())
			})
		}
	}
}

var (
	opensForm = regexp.MustCompile(`<form\b[^>]*>`)
	ownForm   = regexp.MustCompile(`^<form method="(post|get)" action="/(auth|account|device|api/v1/platform/oauth)[/"?]`)
	redirects = regexp.MustCompile(`(?i)formaction|<base|http-equiv|<object|<embed|<iframe|<meta[^>]*refresh`)
)

// requireOwnFormsOnly demands that every form of a page posts to us and nothing
// in it could send what a person types elsewhere. Pages that lead to an
// application have no form-action to say so.
func requireOwnFormsOnly(t *testing.T, body string) {
	t.Helper()
	require.NotRegexp(t, redirects, body)
	for _, form := range opensForm.FindAllString(body, -1) {
		require.Regexp(t, ownForm, form)
	}
}

func doneWith(a *testPages, c *gin.Context, what string) {
	c.Request.URL.RawQuery = queryDone + "=" + what
	a.profilePage(c, testProfile())
}

func refusedWith(a *testPages, c *gin.Context, problem domain.PasswordProblem) {
	a.newPasswordPage(c, testProfile().Me, http.StatusUnprocessableEntity, problem, true)
}

func golden(t *testing.T, name, body string) {
	t.Helper()
	require.NotRegexp(t, `<style|\sstyle=|\son\w+=|<script`, body)
	require.Equal(t, 1, len(regexp.MustCompile(`<h1>`).FindAllString(body, -1)), "one main heading")
	body = assetHash.ReplaceAllString(body, "$1.HASH.")
	body = reference.ReplaceAllString(body, "<code>REFERENCE</code>")
	// A form's token depends on what its page shows, which the rest of the page tells.
	body = formToken.ReplaceAllString(body, "${1}TOKEN")
	file := filepath.Join("testdata", name+".html")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
	}

	want, err := os.ReadFile(file)
	require.NoError(t, err, "run the test with -update to write it")
	require.Equal(t, string(want), body)
}

var formToken = regexp.MustCompile(`(name="csrf_token" value=")[^"]+`)
