package grants_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

func TestTheConsentPageIsShown(t *testing.T) {
	const web, loopback, private = "https://app.test/cb", "http://127.0.0.1:8000/cb", "com.example.app:/cb"
	both := oauth.Scopes{"openid", "email"}
	for name, tt := range map[string]struct {
		kind       directory.ApplicationType
		firstParty bool
		redirect   string
		prompt     oauth.Prompt
		remembered oauth.Scopes
		want       bool
	}{
		"to a person who has allowed nothing yet": {
			kind:     directory.Web,
			redirect: web,
			want:     true,
		},
		"not for what was allowed before": {
			kind:       directory.Web,
			redirect:   web,
			remembered: both,
		},
		"not where more was allowed before": {
			kind:       directory.Web,
			redirect:   web,
			remembered: both.Union(oauth.Scopes{"profile"}),
		},
		"where less was allowed before": {
			kind:       directory.Web,
			redirect:   web,
			remembered: oauth.Scopes{"openid"},
			want:       true,
		},
		"not for a first party": {
			kind:       directory.Web,
			firstParty: true,
			redirect:   web,
		},
		"on prompt=consent whatever was allowed (OpenID Connect Core 3.1.2.1)": {
			kind:       directory.Web,
			redirect:   web,
			prompt:     oauth.Prompt{oauth.PromptLogin, oauth.PromptConsent},
			remembered: both,
			want:       true,
		},
		"on prompt=consent even for a first party": {
			kind:       directory.Web,
			firstParty: true,
			redirect:   web,
			prompt:     oauth.Prompt{oauth.PromptConsent},
			want:       true,
		},
		"not because of prompt=login": {
			kind:       directory.Web,
			redirect:   web,
			prompt:     oauth.Prompt{oauth.PromptLogin},
			remembered: both,
		},
		"not for a browser application on its own site that was allowed": {
			kind:       directory.SPA,
			redirect:   web,
			remembered: both,
		},
		"always for a browser application on loopback (RFC 8252 8.6)": {
			kind:       directory.SPA,
			redirect:   loopback,
			remembered: both,
			want:       true,
		},
		"always for a native application on loopback (RFC 8252 8.6)": {
			kind:       directory.Native,
			redirect:   loopback,
			remembered: both,
			want:       true,
		},
		"always for a native application on a private scheme (RFC 8252 8.6)": {
			kind:       directory.Native,
			redirect:   private,
			remembered: both,
			want:       true,
		},
		"always for a first party's native application on loopback (RFC 8252 8.6)": {
			kind:       directory.Native,
			firstParty: true,
			redirect:   loopback,
			want:       true,
		},
		"not for a native application with a claimed https redirect (RFC 8252 7.2)": {
			kind:       directory.Native,
			redirect:   web,
			remembered: both,
		},
		"not for a confidential application on loopback that was allowed": {
			kind:       directory.Web,
			redirect:   loopback,
			remembered: both,
		},
	} {
		t.Run(name, func(t *testing.T) {
			app := &directory.Application{Type: tt.kind, FirstParty: tt.firstParty}
			require.Equal(t, tt.want, grants.ConsentNeeded(app, tt.redirect, tt.prompt, both, tt.remembered))
		})
	}
}

func TestAnAuthenticationIsFreshEnough(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	started := now.Add(-time.Minute)
	seconds := func(n int) *int { return &n }
	for name, tt := range map[string]struct {
		age    time.Duration
		prompt oauth.Prompt
		maxAge *int
		want   bool
	}{
		"when nothing was asked for": {age: 24 * time.Hour, want: true},
		"when max_age has not passed (OpenID Connect Core 3.1.2.1)": {
			age:    2 * time.Minute,
			maxAge: seconds(121),
			want:   true,
		},
		"when it is exactly max_age old": {
			age:    2 * time.Minute,
			maxAge: seconds(120),
			want:   true,
		},
		"not when it is a microsecond older than max_age": {
			age:    2*time.Minute + time.Microsecond,
			maxAge: seconds(120),
		},
		"not when max_age is zero, which equals prompt=login": {
			age:    2 * time.Minute,
			maxAge: seconds(0),
		},
		"not when max_age makes no sense": {
			age:    2 * time.Minute,
			maxAge: seconds(-1),
		},
		"when max_age is more seconds than a duration holds": {
			age:    2 * time.Minute,
			maxAge: seconds(math.MaxInt64),
			want:   true,
		},
		"not on prompt=login (OpenID Connect Core 3.1.2.1)": {
			age:    2 * time.Minute,
			prompt: oauth.Prompt{oauth.PromptLogin},
		},
		"not on prompt=login, whatever max_age says": {
			age:    2 * time.Minute,
			prompt: oauth.Prompt{oauth.PromptConsent, oauth.PromptLogin},
			maxAge: seconds(3600),
		},
		"on other prompts": {
			age:    2 * time.Minute,
			prompt: oauth.Prompt{oauth.PromptConsent, oauth.PromptSelectAccount},
			want:   true,
		},
		"on prompt=login when it was made for this request": {
			age:    time.Second,
			prompt: oauth.Prompt{oauth.PromptLogin},
			want:   true,
		},
		"on max_age=0 when it was made at the very start": {
			age:    time.Minute,
			maxAge: seconds(0),
			want:   true,
		},
		"on a short max_age when it was made since the start, or it would never": {
			age:    30 * time.Second,
			maxAge: seconds(1),
			want:   true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sessions.Session{AuthTime: now.Add(-tt.age)}
			require.Equal(t, tt.want, grants.Fresh(s, tt.prompt, tt.maxAge, started, now))
		})
	}
}

// RFC 6749 5.2.
func TestACodeRedeemsWhileAllStandBehindIt(t *testing.T) {
	alive := grants.Redeemable{
		User:        directory.User{Active: true},
		Tenant:      directory.Tenant{Active: true},
		Behind:      grants.Behind{Member: true, AppActive: true},
		SessionLive: true,
	}

	require.True(t, alive.Live())

	for name, end := range map[string]func(r *grants.Redeemable){
		"the user":                         func(r *grants.Redeemable) { r.User.Active = false },
		"the tenant":                       func(r *grants.Redeemable) { r.Tenant.Active = false },
		"the membership":                   func(r *grants.Redeemable) { r.Member = false },
		"the application":                  func(r *grants.Redeemable) { r.AppActive = false },
		"the access, which was ended":      func(r *grants.Redeemable) { r.AccessEnded = true },
		"a tenant that takes passwords":    func(r *grants.Redeemable) { r.Tenant.SSOOnly = true },
		"the session":                      func(r *grants.Redeemable) { r.SessionLive = false },
		"the session of an offline grant":  func(r *grants.Redeemable) { r.SessionLive, r.Offline = false, true },
		"everything, as in the zero value": func(r *grants.Redeemable) { *r = grants.Redeemable{} },
	} {
		t.Run("but not without "+name, func(t *testing.T) {
			r := alive
			end(&r)
			require.False(t, r.Live())
		})
	}
}

func TestAGrantStandsUntilSomethingBehindItEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(s *grants.Standing)
		want [2]bool // of an online grant, of an offline one
	}{
		"nothing has ended": {func(*grants.Standing) {}, [2]bool{true, true}},
		"revoked (RFC 7009)": {
			func(s *grants.Standing) { s.Grant.RevokedAt = time.Unix(1, 0) },
			[2]bool{false, false},
		},
		"the user is disabled":        {func(s *grants.Standing) { s.User.Active = false }, [2]bool{false, false}},
		"the tenant is disabled":      {func(s *grants.Standing) { s.Tenant.Active = false }, [2]bool{false, false}},
		"the membership is gone":      {func(s *grants.Standing) { s.Member = false }, [2]bool{false, false}},
		"the application is disabled": {func(s *grants.Standing) { s.AppActive = false }, [2]bool{false, false}},
		"all access was ended":        {func(s *grants.Standing) { s.AccessEnded = true }, [2]bool{false, false}},
		"the tenant takes no passwords any more": {
			func(s *grants.Standing) { s.Tenant.SSOOnly, s.Grant.AMR = true, []string{oauth.AMRPassword} },
			[2]bool{false, false},
		},
		"the tenant takes no passwords, and none was given": {
			func(s *grants.Standing) { s.Tenant.SSOOnly, s.Grant.AMR = true, []string{"fed"} },
			[2]bool{true, true},
		},
		"the session has ended, which an offline grant outlives (OpenID Connect Core 11)": {
			func(s *grants.Standing) { s.SessionLive = false },
			[2]bool{false, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i, offline := range []bool{false, true} {
				s := grants.Standing{
					Grant:       grants.Grant{Offline: offline},
					User:        directory.User{Active: true},
					Tenant:      directory.Tenant{Active: true},
					Behind:      grants.Behind{Member: true, AppActive: true},
					SessionLive: true,
				}

				tt.end(&s)
				require.Equal(t, tt.want[i], s.Live(), "offline: %t", offline)
			}
		})
	}
}

func TestADevicesApprovalStandsWhileItsPersonDoes(t *testing.T) {
	alive := grants.DevicePoll{
		User:        directory.User{Active: true},
		Tenant:      directory.Tenant{Active: true},
		Behind:      grants.Behind{Member: true, AppActive: true},
		SessionLive: true,
	}

	require.True(t, alive.Live())

	for name, end := range map[string]func(p *grants.DevicePoll){
		"user":       func(p *grants.DevicePoll) { p.User.Active = false },
		"tenant":     func(p *grants.DevicePoll) { p.Tenant.Active = false },
		"membership": func(p *grants.DevicePoll) { p.Member = false },
		"app":        func(p *grants.DevicePoll) { p.AppActive = false },
		"session":    func(p *grants.DevicePoll) { p.SessionLive = false },
	} {
		p := alive
		end(&p)
		require.False(t, p.Live(), name)
	}
}
