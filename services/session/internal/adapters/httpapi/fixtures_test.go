package httpapi

import (
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

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
		Request: &grants.AuthorizationRequest{
			ID:          "req_golden",
			Kind:        grants.KindAuthorize,
			RedirectURI: "https://billing.test/callback",
			Scope:       oauth.Scopes{"openid", "profile", "email", "offline_access", "invoices:read"},
			LoginEmail:  "ada@acme.test",
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
	v.Request.RedirectURI = "https://xn--bcher-kva.test:8443/callback"
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
