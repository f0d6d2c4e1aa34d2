package domain

import (
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Step identifies the page that comes next in a flow.
type Step int

// Steps.
const (
	StepEmail    Step = iota // ask for the e-mail address
	StepPassword             // ask for the password
	StepSSO                  // the address's tenant doesn't allow passwords here
	StepNoTenant             // signed in, but a member of no tenant
	StepTenant               // ask for one of the person's tenants
	StepAccount              // prompt=select_account: ask which account to use
	StepConsent              // ask for consent
	StepDone                 // nothing left to ask: return to where the browser came from
)

// Situation holds everything that determines the next step.
type Situation struct {
	Request *grants.Flow
	App     *directory.Application
	// Session is the browser's session, User its person and Tenants the tenants that the person
	// may enter. They are nil if there is no live session or its person is disabled.
	Session *sessions.Session
	User    *directory.User
	Tenants []directory.Tenant
	// Others are the people who are signed in in this browser, apart from the one whose session
	// counts in this flow. Set only if the flow asks for a choice.
	Others []Account
	// Home is the tenant that verified the typed address's domain or through whose entrance the
	// flow began, or nil.
	Home *directory.Tenant
	// Remembered holds the scopes that the person allowed the application before.
	Remembered oauth.Scopes
	Now        time.Time
}

// Account is a person who is signed in in the browser.
type Account struct {
	Session *sessions.Session
	User    *directory.User
	Tenants []directory.Tenant
}

// Tenant returns the session's tenant, or nil if it isn't one of the person's.
func (a *Account) Tenant() *directory.Tenant { return tenantOf(a.Session, a.Tenants) }

// Next returns the step that is due. It depends on stored rows only, so that reloading,
// going back and submitting twice all lead to the same page.
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

// Accepted reports whether the browser's session signs it in for this flow. A session
// created since the flow began always does. If the person signed in with an account other
// than the one id_token_hint names, authorize has to refuse (OpenID Connect Core 3.1.2.1);
// asking again here would loop.
func (s *Situation) Accepted() bool {
	switch {
	case s.Session == nil || s.User == nil:
		return false
	case s.Session.TenantID != "" && !s.MayEnter(s.Session.TenantID):
		return false
	case s.Request.LoginEmail != "" && s.Request.LoginEmail != s.User.Email:
		return false // the person asked for another account
	case s.madeInFlow():
		return true
	case s.Request.HintSubject != "" && s.Request.HintSubject != s.User.ID:
		return false
	case s.askedFor(s.Session), s.Request.LoginEmail != "": // the person chose the account
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

// Hints reports whether the application named the person it expects (OpenID Connect Core
// 3.1.2.1), by id_token_hint or by a login_hint that is an e-mail address.
func (s *Situation) Hints() bool {
	_, address := ParseEmail(s.Request.LoginHint)
	return s.Request.HintSubject != "" || address
}

// Names reports whether the hint names user.
func (s *Situation) Names(user *directory.User) bool {
	if s.Request.HintSubject != "" {
		return s.Request.HintSubject == user.ID
	}
	address, ok := ParseEmail(s.Request.LoginHint)
	return ok && address == user.Email
}

// GoesOn reports whether a browser's session continues when the person userID signs in
// again. It must be theirs and alive, though it may be idle, and they must still be allowed
// to enter its tenant.
func GoesOn(s *sessions.Session, userID string, tenants []directory.Tenant, now time.Time) bool {
	return s.UserID == userID && s.EndedAt.IsZero() && now.Before(s.ExpiresAt) &&
		(s.TenantID == "" || tenantOf(s, tenants) != nil)
}

// MayEnter reports whether the session may choose a tenant.
func (s *Situation) MayEnter(tenantID string) bool {
	return slices.ContainsFunc(s.Tenants, func(t directory.Tenant) bool { return t.ID == tenantID })
}

// OnlyTenant returns the tenant that can be chosen without asking: the person's only one,
// or the one through whose entrance the flow began. It returns "" if there is none.
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

// entrance returns the tenant through whose page the flow began, or "".
func (s *Situation) entrance() string {
	if s.Request.Kind != grants.KindAccount || s.Request.Decision != grants.Undecided {
		return ""
	}
	return s.Request.TenantID
}

// Tenant returns the session's tenant, or nil if none has been chosen.
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

// askAccount reports whether to show the account page. Signing in during the flow, typing
// the address and choosing on the page all count as answers. A person who enters through
// another of their tenants than the session's is asked too.
func (s *Situation) askAccount() bool {
	if s.Request.SessionID == s.Session.ID {
		return false
	}
	if into := s.entrance(); into != "" && into != s.Session.TenantID && s.MayEnter(into) {
		return true
	}
	return s.Request.Prompt.Has(oauth.PromptSelectAccount) && !s.madeInFlow() && s.Request.LoginEmail == ""
}

// askConsent reports whether to ask for consent. It never does for a device, since the
// device's own page always asks.
func (s *Situation) askConsent() bool {
	r := s.Request
	if r.Kind != grants.KindAuthorize || (r.Decision == grants.Consented && r.SessionID == s.Session.ID) {
		return false
	}
	return grants.ConsentNeeded(s.App, r.RedirectURI(), r.Prompt, r.Scope, s.Remembered)
}

// RemembersConsent reports whether the person's consent is remembered. It isn't for
// applications that any program on the device can claim to be (RFC 8252 8.6).
func RemembersConsent(app *directory.Application, redirectURI string) bool {
	return !app.Claimable(redirectURI)
}
