package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
)

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
