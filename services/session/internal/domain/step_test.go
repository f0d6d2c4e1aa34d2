package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

var started = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

// situation is a flow one minute old, of a third-party application, in a browser
// that signed in an hour before.
func situation(change func(s *domain.Situation)) *domain.Situation {
	s := &domain.Situation{
		Request: &grants.Flow{
			ID:        "req_1",
			Kind:      grants.KindAuthorize,
			CreatedAt: started,
			ExpiresAt: started.Add(30 * time.Minute),
			Access:    grants.Access{Scope: oauth.Scopes{"openid", "email"}},
			Authorize: &grants.Authorization{RedirectURI: "https://billing.test/cb"},
		},
		App:     &directory.Application{ClientID: "billing", Type: directory.Web, Active: true},
		User:    &directory.User{ID: "usr_1", Email: "ada@acme.test", Active: true},
		Tenants: []directory.Tenant{{ID: "tnt_1"}, {ID: "tnt_2"}},
		Session: &sessions.Session{
			ID:       "ses_1",
			UserID:   "usr_1",
			TenantID: "tnt_1",
			AuthTime: started.Add(-time.Hour),
		},
		Remembered: oauth.Scopes{"openid", "email"},
		Now:        started.Add(time.Minute),
	}
	if change != nil {
		change(s)
	}

	return s
}

func TestWhichPageIsDue(t *testing.T) {
	nobody := func(s *domain.Situation) { s.Session, s.User, s.Tenants, s.Remembered = nil, nil, nil, nil }
	justNow := func(s *domain.Situation) { s.Session.AuthTime = started.Add(30 * time.Second) }
	zero, hour, minute := 0, 7200, 60
	for name, c := range map[string]struct {
		want   domain.Step
		change func(s *domain.Situation)
	}{
		"a session and a remembered consent need no page": {domain.StepDone, nil},
		"without a session the e-mail page":               {domain.StepEmail, nobody},
		"with an address the password page": {domain.StepPassword, func(s *domain.Situation) {
			nobody(s)
			s.Request.LoginEmail = "ada@acme.test"
		}},
		"an sso_only tenant's address is offered no password": {domain.StepSSO, func(s *domain.Situation) {
			nobody(s)
			s.Request.LoginEmail, s.Home = "ada@acme.test", &directory.Tenant{SSOOnly: true}
		}},
		"a denied flow is done": {
			domain.StepDone, func(s *domain.Situation) { s.Request.Decision = grants.Denied },
		},
		"a denied flow is done without any session": {
			domain.StepDone, func(s *domain.Situation) { nobody(s); s.Request.Decision = grants.Denied },
		},
		"prompt=login asks for the password again": {domain.StepEmail, func(s *domain.Situation) {
			s.Request.Prompt = oauth.Prompt{oauth.PromptLogin}
		}},
		"prompt=login is met by signing in during the flow": {domain.StepDone, func(s *domain.Situation) {
			justNow(s)
			s.Request.Prompt = oauth.Prompt{oauth.PromptLogin}
		}},
		"max_age=0 equals prompt=login": {
			domain.StepEmail, func(s *domain.Situation) { s.Request.MaxAge = &zero },
		},
		"a session older than max_age signs in": {
			domain.StepEmail, func(s *domain.Situation) { s.Request.MaxAge = &minute },
		},
		"a session younger than max_age is taken": {
			domain.StepDone, func(s *domain.Situation) { s.Request.MaxAge = &hour },
		},
		"id_token_hint of another person signs in": {
			domain.StepEmail, func(s *domain.Situation) { s.Request.HintSubject = "usr_2" },
		},
		"finishing as another person is for authorize to refuse": {domain.StepDone, func(s *domain.Situation) {
			justNow(s)
			s.Request.HintSubject = "usr_2"
		}},
		"typing another address leads to its password": {
			domain.StepPassword, func(s *domain.Situation) { s.Request.LoginEmail = "bob@acme.test" },
		},
		"typing another address does so also after signing in": {domain.StepPassword, func(s *domain.Situation) {
			justNow(s)
			s.Request.LoginEmail = "bob@acme.test"
		}},
		"typing one's own address changes nothing": {
			domain.StepDone, func(s *domain.Situation) { s.Request.LoginEmail = "ada@acme.test" },
		},
		"no tenant chosen yet": {
			domain.StepTenant, func(s *domain.Situation) { s.Session.TenantID = "" },
		},
		"a member of nothing": {domain.StepNoTenant, func(s *domain.Situation) {
			s.Session.TenantID, s.Tenants = "", nil
		}},
		"a session whose membership has ended signs in": {
			domain.StepEmail, func(s *domain.Situation) { s.Tenants = s.Tenants[1:] },
		},
		"select_account asks as whom": {domain.StepAccount, func(s *domain.Situation) {
			s.Request.Prompt = oauth.Prompt{oauth.PromptSelectAccount}
		}},
		"select_account is answered by choosing": {domain.StepDone, func(s *domain.Situation) {
			s.Request.Prompt, s.Request.SessionID, s.Request.Decision = oauth.Prompt{oauth.PromptSelectAccount}, "ses_1", grants.SignedIn
		}},
		"select_account is answered by signing in": {domain.StepDone, func(s *domain.Situation) {
			justNow(s)
			s.Request.Prompt = oauth.Prompt{oauth.PromptSelectAccount}
		}},
		"nothing remembered asks for consent": {domain.StepConsent, func(s *domain.Situation) { s.Remembered = nil }},
		"a part remembered asks for consent": {
			domain.StepConsent, func(s *domain.Situation) { s.Remembered = oauth.Scopes{"openid"} },
		},
		"first party asks for none": {domain.StepDone, func(s *domain.Situation) {
			s.Remembered, s.App.FirstParty = nil, true
		}},
		"prompt=consent asks even for what is remembered": {domain.StepConsent, func(s *domain.Situation) {
			s.Request.Prompt = oauth.Prompt{oauth.PromptConsent}
		}},
		"an allowed flow is done": {domain.StepDone, func(s *domain.Situation) {
			s.Remembered, s.Request.Decision, s.Request.SessionID = nil, grants.Consented, "ses_1"
		}},
		"what another session allowed does not count": {domain.StepConsent, func(s *domain.Situation) {
			s.Remembered, s.Request.Decision, s.Request.SessionID = nil, grants.Consented, "ses_0"
		}},
		"a public application on loopback always asks (RFC 8252 8.6)": {domain.StepConsent, func(s *domain.Situation) {
			s.App.Type, s.App.FirstParty, s.Request.Authorize.RedirectURI = directory.Native, true, "http://127.0.0.1:5000/cb"
		}},
		"a device's sign-in asks for no consent here": {domain.StepDone, func(s *domain.Situation) {
			s.Remembered, s.Request.Kind = nil, grants.KindDevice
		}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, situation(c.change).Next()) })
	}
}
