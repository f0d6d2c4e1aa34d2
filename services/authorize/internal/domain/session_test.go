package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/domain"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func session(change func(*sessions.Session)) *sessions.Session {
	s := &sessions.Session{
		ID:         "ses_1",
		UserID:     "usr_ada",
		TenantID:   "tnt_acme",
		AuthTime:   now.Add(-time.Hour),
		ACR:        "1",
		CreatedAt:  now.Add(-time.Hour),
		LastSeenAt: now.Add(-time.Minute),
		ExpiresAt:  now.Add(time.Hour),
	}
	if change != nil {
		change(s)
	}

	return s
}

func seconds(n int) *int { return &n }

// OpenID Connect Core 3.1.2.1: prompt, max_age, id_token_hint, acr_values.
func TestWhatASessionStillNeeds(t *testing.T) {
	flow := func(change func(*grants.Flow)) *grants.Flow {
		f := &grants.Flow{CreatedAt: now}
		if change != nil {
			change(f)
		}
		return f
	}
	for _, tc := range []struct {
		name    string
		flow    *grants.Flow
		session *sessions.Session
		want    domain.Need
	}{
		{"nobody is signed in", flow(nil), nil, domain.Login},
		{"a good session needs nothing", flow(nil), session(nil), domain.Nothing},
		{"an ended one is none", flow(nil), session(func(s *sessions.Session) { s.EndedAt = now }), domain.Login},
		{
			"one past its absolute end is none", flow(nil),
			session(func(s *sessions.Session) { s.ExpiresAt = now }), domain.Login,
		},
		{
			"one idle too long is none", flow(nil),
			session(func(s *sessions.Session) { s.LastSeenAt = now.Add(-12 * time.Hour) }), domain.Login,
		},
		{
			"one without a tenant needs a choice", flow(nil),
			session(func(s *sessions.Session) { s.TenantID = "" }), domain.Account,
		},
		{
			"prompt=login never takes an old one",
			flow(func(f *grants.Flow) { f.Prompt = oauth.Prompt{"login"} }), session(nil), domain.Login,
		},
		{
			"prompt=login at the very instant of a sign-in",
			flow(func(f *grants.Flow) { f.Prompt = oauth.Prompt{"login"} }),
			session(func(s *sessions.Session) { s.AuthTime = now }), domain.Login,
		},
		{
			"max_age=0 equals prompt=login", flow(func(f *grants.Flow) { f.MaxAge = seconds(0) }),
			session(func(s *sessions.Session) { s.AuthTime = now }), domain.Login,
		},
		{
			"max_age that is met", flow(func(f *grants.Flow) { f.MaxAge = seconds(3600) }),
			session(nil), domain.Nothing,
		},
		{
			"max_age that has passed", flow(func(f *grants.Flow) { f.MaxAge = seconds(3599) }),
			session(nil), domain.Login,
		},
		{
			"the largest max_age does not overflow",
			flow(func(f *grants.Flow) { f.MaxAge = seconds(1<<31 - 1) }), session(nil), domain.Nothing,
		},
		{
			"the hint names the same person", flow(func(f *grants.Flow) { f.HintSubject = "usr_ada" }),
			session(nil), domain.Nothing,
		},
		{
			"the hint names another person", flow(func(f *grants.Flow) { f.HintSubject = "usr_bob" }),
			session(nil), domain.Login,
		},
		{
			"prompt=select_account asks",
			flow(func(f *grants.Flow) { f.Prompt = oauth.Prompt{"select_account"} }),
			session(nil), domain.Account,
		},
		{
			"an acr that the session has", flow(func(f *grants.Flow) { f.ACRValues = "1" }),
			session(nil), domain.Nothing,
		},
		{
			"one of several acrs", flow(func(f *grants.Flow) { f.ACRValues = "2 1" }),
			session(nil), domain.Nothing,
		},
		{
			"an unknown acr is ignored", flow(func(f *grants.Flow) { f.ACRValues = "phr" }),
			session(nil), domain.Nothing,
		},
		{
			"a stronger acr is worth a page", flow(func(f *grants.Flow) { f.ACRValues = "2" }),
			session(nil), domain.Interaction,
		},
		{
			"a stronger acr isn't an error with prompt=none",
			flow(func(f *grants.Flow) { f.ACRValues, f.Prompt = "2", oauth.Prompt{"none"} }),
			session(nil), domain.Nothing,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, domain.SignIn(tc.flow, tc.session, 12*time.Hour, now))
		})
	}
}

// OpenID Connect Core 3.1.2.6.
func TestWhatPromptNoneAnswers(t *testing.T) {
	native := &directory.Application{Type: directory.Native}
	web := &directory.Application{Type: directory.Web}
	require.Equal(t, oauth.LoginRequired, domain.Login.Refusal(web, callback).Code)
	require.Equal(t, oauth.AccountSelectionRequired, domain.Account.Refusal(web, callback).Code)
	require.Equal(t, oauth.ConsentRequired, domain.Consent.Refusal(web, callback).Code)
	require.Equal(t, oauth.ConsentRequired, domain.Consent.Refusal(native, callback).Code,
		"a claimed https URI proves the application")
	require.Equal(t, oauth.InteractionRequired,
		domain.Consent.Refusal(native, "com.example.app:/cb").Code, "RFC 8252 8.6")
	require.Equal(t, oauth.InteractionRequired,
		domain.Consent.Refusal(native, "http://127.0.0.1:1/cb").Code, "RFC 8252 8.6")
}
