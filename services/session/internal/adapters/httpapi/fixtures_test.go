package httpapi

import (
	"context"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

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

const testBrowser = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
