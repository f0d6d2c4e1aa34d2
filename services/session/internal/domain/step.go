package domain

import (
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Step is the page that a flow is due.
type Step int

// Steps.
const (
	StepEmail    Step = iota // who are you?
	StepPassword             // prove it
	StepSSO                  // the address's tenant has no passwords here
	StepNoTenant             // signed in, but at home nowhere
	StepTenant               // which of your tenants?
	StepAccount              // prompt=select_account: as whom?
	StepConsent              // may the application?
	StepDone                 // nothing left: back to where the browser came from
)

// Situation is everything that decides the next step.
type Situation struct {
	Request *grants.AuthorizationRequest
	App     *directory.Application
	// Session is what the browser's cookie stands for, User its person and
	// Tenants where they may go; nil when there is no session that is alive, or
	// its person is disabled.
	Session *sessions.Session
	User    *directory.User
	Tenants []directory.Tenant
	// Others are those who are signed in in this browser besides the session that
	// counts here, where the flow asks for a choice.
	Others []Account
	// Home is the tenant that verified the typed address's domain, or by whose
	// entrance the flow began; or nil.
	Home *directory.Tenant
	// Remembered is what the person allowed the application before.
	Remembered oauth.Scopes
	Now        time.Time
}

// Account is somebody who is signed in in the browser.
type Account struct {
	Session *sessions.Session
	User    *directory.User
	Tenants []directory.Tenant
}

// Tenant is the session's tenant, or nil when it is none of the person's.
func (a *Account) Tenant() *directory.Tenant { return tenantOf(a.Session, a.Tenants) }

// Next tells which page is due. It depends on the rows alone, so that reloading,
// going back and submitting twice all lead to the same place.
func (s *Situation) Next() Step {
	switch {
	case s.Request.Decision == grants.Denied:
		return StepDone
	case !s.Accepted():
		return s.signIn()
	case len(s.Tenants) == 0:
		return StepNoTenant
	case s.Session.TenantID == "":
		return StepTenant
	case s.askAccount():
		return StepAccount
	case s.askConsent():
		return StepConsent
	default:
		return StepDone
	}
}

func (s *Situation) signIn() Step {
	switch {
	case s.Request.LoginEmail == "" && len(s.Others) > 0:
		return StepAccount
	case s.Request.LoginEmail == "":
		return StepEmail
	case s.Home != nil && s.Home.SSOOnly:
		return StepSSO
	default:
		return StepPassword
	}
}

// Accepted reports whether the browser's session signs it in for this flow. One
// made since the flow began always does: a person who signs in as somebody other
// than id_token_hint names is for authorize to refuse (OpenID Connect Core
// 3.1.2.1), and asking again would go round in circles.
func (s *Situation) Accepted() bool {
	switch {
	case s.Session == nil || s.User == nil:
		return false
	case s.Session.TenantID != "" && !s.MayEnter(s.Session.TenantID):
		return false
	case s.Request.LoginEmail != "" && s.Request.LoginEmail != s.User.Email:
		return false // they asked for another account
	case s.madeInFlow():
		return true
	case s.Request.HintSubject != "" && s.Request.HintSubject != s.User.ID:
		return false
	case s.askedFor(s.Session), s.Request.LoginEmail != "": // they said so themselves
		return s.Recent(s.Session)
	default:
		return s.Recent(s.Session) && (!s.Hints() || s.Names(s.User))
	}
}

// askedFor reports whether a session was chosen in this flow.
func (s *Situation) askedFor(session *sessions.Session) bool {
	return s.Request.SessionID == session.ID
}

// Recent reports whether a session's sign-in is recent enough for the flow.
func (s *Situation) Recent(session *sessions.Session) bool {
	return grants.Fresh(session, s.Request.Prompt, s.Request.MaxAge, s.Request.CreatedAt, s.Now)
}

// Hints reports whether the application said who it expects (OpenID Connect Core
// 3.1.2.1): by id_token_hint, or by a login_hint that is an address.
func (s *Situation) Hints() bool {
	_, address := ParseEmail(s.Request.LoginHint)
	return s.Request.HintSubject != "" || address
}

// Names reports whether that is a person.
func (s *Situation) Names(user *directory.User) bool {
	if s.Request.HintSubject != "" {
		return s.Request.HintSubject == user.ID
	}
	address, ok := ParseEmail(s.Request.LoginHint)
	return ok && address == user.Email
}

// GoesOn reports whether a session of the browser goes on when a person signs in
// again: it is theirs and alive, if idle, and they may still enter its tenant.
func GoesOn(s *sessions.Session, userID string, tenants []directory.Tenant, now time.Time) bool {
	return s.UserID == userID && s.EndedAt.IsZero() && now.Before(s.ExpiresAt) &&
		(s.TenantID == "" || tenantOf(s, tenants) != nil)
}

// MayEnter reports whether a tenant is one that the session may choose.
func (s *Situation) MayEnter(tenantID string) bool {
	return slices.ContainsFunc(s.Tenants, func(t directory.Tenant) bool { return t.ID == tenantID })
}

// OnlyTenant is the tenant that need not be asked for: the only one, or the one by
// whose entrance the flow began; else empty.
func (s *Situation) OnlyTenant() string {
	switch {
	case len(s.Tenants) == 1:
		return s.Tenants[0].ID
	case s.entrance() != "" && s.MayEnter(s.entrance()):
		return s.entrance()
	default:
		return ""
	}
}

// entrance is the tenant by whose page the flow began, or empty.
func (s *Situation) entrance() string {
	if s.Request.Kind != grants.KindAccount || s.Request.Decision != grants.Undecided {
		return ""
	}
	return s.Request.TenantID
}

// Tenant is the session's tenant, or nil while none is chosen.
func (s *Situation) Tenant() *directory.Tenant { return tenantOf(s.Session, s.Tenants) }

func tenantOf(session *sessions.Session, tenants []directory.Tenant) *directory.Tenant {
	for i := range tenants {
		if session != nil && tenants[i].ID == session.TenantID {
			return &tenants[i]
		}
	}
	return nil
}

func (s *Situation) madeInFlow() bool { return !s.Session.AuthTime.Before(s.Request.CreatedAt) }

// askAccount: signing in during the flow, typing the address and choosing on the
// page are all answers. Who enters by another of their tenants than the session's
// is asked too.
func (s *Situation) askAccount() bool {
	if s.Request.SessionID == s.Session.ID {
		return false
	}
	if into := s.entrance(); into != "" && into != s.Session.TenantID && s.MayEnter(into) {
		return true
	}
	return s.Request.Prompt.Has(oauth.PromptSelectAccount) && !s.madeInFlow() && s.Request.LoginEmail == ""
}

// askConsent never asks for a device: its own page always does.
func (s *Situation) askConsent() bool {
	r := s.Request
	if r.Kind != grants.KindAuthorize || (r.Decision == grants.Consented && r.SessionID == s.Session.ID) {
		return false
	}
	return grants.ConsentNeeded(s.App, r.RedirectURI, r.Prompt, r.Scope, s.Remembered)
}

// RemembersConsent reports whether what the person allows is kept: not for
// applications that any program on the device can claim to be (RFC 8252 8.6).
func RemembersConsent(app *directory.Application, redirectURI string) bool {
	return !app.Claimable(redirectURI)
}
