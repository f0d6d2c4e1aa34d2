package httpapi

import (
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

var update = flag.Bool("update", false, "write the golden files")

var assetHash = regexp.MustCompile(`(/auth/assets/\w+)\.[\w-]+\.`)

var reference = regexp.MustCompile(`<code>[0-9a-f]{32}</code>`)

const testBrowser = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// testPages are the pages of all use cases.
type testPages struct {
	*frame
	*signInPages
	*accountPages
	*logoutPages
}

func newTestPages(t *testing.T) *testPages {
	t.Helper()
	gin.SetMode(gin.TestMode)
	ui, err := webui.New()
	require.NoError(t, err)
	journal := &app.Journal{Trail: noTrail{}, Refusals: noTrail{}}
	signIn := &app.SignIn{
		Flows:        oneFlow{},
		Applications: appcache.New(oneApplication{}, appcache.Options{}),
		Issuer:       "https://id.test/oauth",
	}

	f, err := newFrame(Options{UI: ui, Journal: journal})
	require.NoError(t, err)

	return &testPages{
		frame: f,
		signInPages: &signInPages{
			frame: f,
			app:   signIn,
			shown: func(context.Context, httpkit.Problem) {},
		},
		accountPages: &accountPages{frame: f, app: &app.Account{Access: holders{}}},
		logoutPages:  &logoutPages{frame: f},
	}
}

// holders is a person who allows two applications access while they are away.
type holders struct{ ports.Access }

func (holders) Allowed(context.Context, string, time.Time) ([]ports.Allowance, error) {
	return []ports.Allowance{
		{Application: "Notes <i>", Offline: true},
		{Application: "Television", Offline: true},
		{Application: "Billing"},
	}, nil
}

// oneFlow knows flows of each kind by their id.
type oneFlow struct{ ports.Flows }

func (oneFlow) Flow(_ context.Context, id string) (*grants.Flow, error) {
	switch id {
	case "req_golden":
		return testVisit().Request, nil
	case "req_begin":
		return &grants.Flow{Kind: grants.KindAuthorize, Access: grants.Access{ClientID: "begin"}}, nil
	case "req_device":
		return &grants.Flow{Kind: grants.KindDevice}, nil
	case "req_account":
		return &grants.Flow{Kind: grants.KindAccount}, nil
	default:
		return nil, grants.ErrNotFound
	}
}

type oneApplication struct{}

func (oneApplication) Application(_ context.Context, clientID string) (*directory.Application, error) {
	app := *testVisit().App
	if clientID == "begin" {
		app.InitiateLoginURI = "https://billing.test/login?from=platform"
	}
	return &app, nil
}

type noTrail struct{}

func (noTrail) Record(context.Context, audit.Event) error { return nil }

var now = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

func testVisit() *app.Visit {
	acme := directory.Tenant{
		ID:     "tnt_acme",
		Slug:   "acme",
		Name:   "Acme Corp",
		Color:  "#7a1fa2",
		Active: true,
	}

	return &app.Visit{Situation: domain.Situation{
		Request: &grants.Flow{
			ID:        "req_golden",
			Kind:      grants.KindAuthorize,
			Access:    grants.Access{Scope: oauth.Scopes{"openid", "profile", "email", "offline_access", "invoices:read"}},
			Authorize: &grants.Authorization{RedirectURI: "https://billing.test/callback"},
			Visit:     grants.Visit{LoginEmail: "ada@acme.test"},
		},
		App: &directory.Application{
			ClientID: "billing",
			Name:     "Billing",
			Type:     directory.Web,
			Active:   true,
		},
		Session: &sessions.Session{ID: "ses_1", UserID: "usr_1", TenantID: "tnt_acme"},
		User: &directory.User{
			ID:     "usr_1",
			Email:  "ada@acme.test",
			Name:   "Ada Lovelace",
			Active: true,
		},
		Tenants: []directory.Tenant{acme, {ID: "tnt_north", Slug: "north", Name: "Northwind Traders", Active: true}},
		Home:    &acme,
	}}
}

// abroad moves a visit to people and an application with internationalised domains. One of them is a look-alike.
func abroad(v *app.Visit) *app.Visit {
	const stored = "zo\u00eb@xn--bcher-kva.test"
	v.Request.LoginEmail, v.User.Email, v.User.Name = stored, stored, ""
	v.Request.Authorize.RedirectURI = "https://xn--bcher-kva.test:8443/callback"
	v.Others = []domain.Account{{
		Session: &sessions.Session{ID: "ses_9", UserID: "usr_2", TenantID: "tnt_north"},
		User:    &directory.User{ID: "usr_2", Email: "eve@xn--cme-5cd.test"},
		Tenants: v.Tenants,
	}}

	return v
}

// testProfile is a person who is signed in in two places and allows two
// applications.
func testProfile() *app.Profile {
	v := testVisit()
	v.Session.CreatedAt, v.Session.LastSeenAt, v.Session.Address = now.Add(
		-49*time.Hour), now.Add(-time.Minute), "192.0.2.7"
	v.Session.UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0"
	phone := &sessions.Session{
		ID:         "ses_2",
		UserID:     "usr_1",
		TenantID:   "tnt_north",
		CreatedAt:  now.Add(-90 * time.Minute),
		LastSeenAt: now.Add(-10 * time.Second),
		UserAgent:  "<script>",
		Address:    "2001:db8::7",
	}

	return &app.Profile{
		Me: &app.Me{
			Session: v.Session,
			User:    v.User,
			Tenants: v.Tenants,
			Now:     now,
		},
		Devices: []*sessions.Session{v.Session, phone},
		Allowances: []ports.Allowance{
			{
				ClientID:    "billing",
				Application: "Billing",
				TenantID:    "tnt_acme",
				Scope:       oauth.Scopes{"openid", "email"},
				Since:       now.Add(-25 * time.Hour),
			},
			{
				ClientID: "gone",
				TenantID: "tnt_acme",
				Scope:    oauth.Scopes{"offline_access", "x:y"},
				Since:    now,
				Offline:  true,
			},
		},
		HasPassword: true,
	}
}

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

// RFC 6749 10.13, RFC 9700 4.16: whatever an operator or an attacker wrote is text
// on a page. This is what keeps a page safe that has no form-action.
func TestNoNameAndNoAddressBecomesMarkup(t *testing.T) {
	a := newTestPages(t)
	const hostile = `"'><form action="https://evil.test"><input name=password><base href=//evil.test><meta http-equiv=refresh content=0>`
	for name, show := range map[string]func(*gin.Context, *app.Visit){
		"email": func(c *gin.Context, v *app.Visit) {
			a.emailPage(c, v, http.StatusUnprocessableEntity, hostile, "email.invalid")
		},
		"password":  func(c *gin.Context, v *app.Visit) { a.passwordPage(c, v, problemPassword) },
		"sso":       a.ssoPage,
		"no_tenant": a.noTenantPage,
		"tenant":    a.tenantPage,
		"account":   a.accountPage,
		"consent":   a.consentPage,
		"logout": func(c *gin.Context, v *app.Visit) {
			c.Request.URL.RawQuery = url.Values{"state": {hostile}, "ui_locales": {hostile}}.Encode()
			params, err := httpkit.Query(c)
			require.NoError(t, err)
			a.confirm(c, &app.PreparedLogout{
				App:      v.App,
				Person:   v.User,
				Session:  v.Session,
				ReturnTo: "https://billing.test/bye",
			}, params)
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := testVisit()
			v.Request.LoginEmail, v.Request.LoginHint, v.Request.UILocales = hostile, hostile, hostile
			v.Request.Scope = oauth.Scopes{hostile}
			v.App.Name, v.User.Name, v.User.Email = hostile, hostile, hostile
			for i := range v.Tenants {
				v.Tenants[i].Name, v.Tenants[i].Slug = hostile, hostile
			}

			v.Home = &v.Tenants[0]

			w := httptest.NewRecorder()
			c, _ := gin.CreateTestContext(w)
			c.Request = httptest.NewRequest(http.MethodGet, "/auth/flows/req_golden", nil)
			c.Request.AddCookie(&http.Cookie{Name: "platform_browser", Value: testBrowser})
			show(c, v)

			body := w.Body.String()
			require.Contains(t, body, "evil.test", "it is shown")
			require.NotContains(t, body, "<input name=password>")
			require.NotContains(t, body, `action="https://evil.test"`)

			for _, form := range opensForm.FindAllString(body, -1) {
				require.Regexp(t, ownForm, form)
			}

			for _, tag := range []string{"<base", "<meta http-equiv", "formaction"} {
				require.NotContains(t, body, tag)
			}
		})
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
	file := filepath.Join("testdata", name+".html")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
	}

	want, err := os.ReadFile(file)
	require.NoError(t, err, "run the test with -update to write it")
	// A form's token depends on what its page shows, which the rest of the page tells.
	require.Equal(t, formToken.ReplaceAllString(string(want), "${1}TOKEN"),
		formToken.ReplaceAllString(body, "${1}TOKEN"))
}

var formToken = regexp.MustCompile(`(name="csrf_token" value=")[^"]+`)

func TestEveryTextIsUsedAndEveryUsedTextExists(t *testing.T) {
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

	content, err := os.ReadFile("messages/en.json")
	require.NoError(t, err)
	var own map[string]string
	require.NoError(t, json.Unmarshal(content, &own))

	for key := range own {
		if strings.HasPrefix(key, "flow.") { // made of parts
			continue
		}
		require.True(t, used[key], "%s is not used", key)
	}

	for _, prefix := range []string{"flow.unknown", "flow.expired", "flow.finished", "flow.over", "flow.browser"} {
		for _, part := range []string{".title", ".what", ".do"} {
			require.Contains(t, own, prefix+part)
		}
	}
}

func TestABadgeShowsTheFirstLetter(t *testing.T) {
	for name, want := range map[string]string{
		"Acme":      "A",
		"éclair":    "É",
		"  «north»": "N",
		"3M":        "3",
		"…":         "?",
		"":          "?",
	} {
		require.Equal(t, want, initial(name), name)
	}
}
