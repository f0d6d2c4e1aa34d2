package domain

import (
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// Need is what is still needed before a request gets its code.
type Need int

// Needs, in the order in which they are satisfied.
const (
	Nothing     Need = iota
	Login            // not signed in, not recently enough, or as another person
	Account          // signed in, but the account or tenant has to be chosen
	Interaction      // a stronger sign-in is requested
	Consent          // the person hasn't allowed the application yet
)

// SignIn returns what is needed before the browser's session answers a request that began
// at flow.CreatedAt, apart from consent. session is nil if there is none.
func SignIn(flow *grants.Flow, session *sessions.Session, idle time.Duration, now time.Time) Need {
	// If a new sign-in is required, no earlier session suffices (OpenID Connect Core 3.1.2.1;
	// max_age=0 equals prompt=login).
	asked := flow.Prompt.Has(oauth.PromptLogin) || (flow.MaxAge != nil && *flow.MaxAge == 0)

	switch {
	case session == nil || !session.Authenticated(now, idle):
		return Login
	case asked || !grants.Fresh(session, flow.Prompt, flow.MaxAge, flow.CreatedAt, now):
		return Login
	case flow.HintSubject != "" && flow.HintSubject != session.UserID:
		return Login
	case session.TenantID == "" || flow.Prompt.Has(oauth.PromptSelectAccount):
		return Account
	case !acrMet(session.ACR, flow.ACRValues) && !flow.Prompt.Has(oauth.PromptNone):
		return Interaction
	default:
		return Nothing
	}
}

// acrMet reports whether a session is as strong as the weakest class of acr_values that
// this platform knows. acr_values is a voluntary request (OpenID Connect Core 3.1.2.1):
// unknown classes are ignored, and failing to meet it is never an error.
func acrMet(have, wanted string) bool {
	known := false
	for acr := range strings.FieldsSeq(wanted) {
		switch acr {
		case oauth.ACRPassword, have:
			return true
		case oauth.ACRTwoFactors:
			known = true
		}
	}

	return !known
}

// Refusal returns the error with which prompt=none answers a need (OpenID Connect Core
// 3.1.2.6). For an application that any program on the device can claim to be, consent can
// never be assumed, so the error is interaction_required (RFC 8252 8.6).
func (n Need) Refusal(app *directory.Application, redirectURI string) *oauth.Error {
	switch {
	case n == Account:
		return oauth.Errorf(oauth.AccountSelectionRequired, "the person has to choose an account")
	case n == Consent && app.Claimable(redirectURI):
		return oauth.Errorf(oauth.InteractionRequired, "this application has to be confirmed by the person every time")
	case n == Consent:
		return oauth.Errorf(oauth.ConsentRequired, "the person has not allowed this yet")
	default:
		return oauth.Errorf(oauth.LoginRequired, "the person has to sign in")
	}
}
