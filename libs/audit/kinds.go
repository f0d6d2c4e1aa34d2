package audit

import "slices"

// Kind says what happened.
type Kind string

// Signing in and out, recorded by the session service.
const (
	SessionCreated    Kind = "session.created"
	SessionSwitched   Kind = "session.switched"
	SessionPicked     Kind = "session.picked"
	SessionReplaced   Kind = "session.replaced"
	SessionEnded      Kind = "session.ended"
	SignedIn          Kind = "session.signed_in"
	SignInFailed      Kind = "session.sign_in_failed"
	SignInBlocked     Kind = "session.sign_in_blocked"
	SignedOut         Kind = "session.signed_out"
	ConsentGiven      Kind = "session.consent_given"
	ConsentDenied     Kind = "session.consent_denied"
	ConsentWithdrawn  Kind = "session.consent_withdrawn"
	FormRefused       Kind = "session.form_refused"
	PasswordChanged   Kind = "session.password_changed"
	LogoutDelivered   Kind = "session.logout_delivered"
	LogoutUndelivered Kind = "session.logout_undelivered"
	ErrorShown        Kind = "session.error_shown"
)

// Decisions about applications, recorded by authorize and token. Failed client authentication
// is also recorded by the device service.
const (
	CodeIssued      Kind = "authorize.code_issued"
	RequestRefused  Kind = "authorize.refused"
	GrantCreated    Kind = "token.grant_created"
	CodeReplayed    Kind = "token.code_replayed"
	RefreshReused   Kind = "token.refresh_reused"
	FamilyRevoked   Kind = "token.family_revoked"
	TokenRevoked    Kind = "token.revoked"
	TokenExchanged  Kind = "token.exchanged"
	ClientRefused   Kind = "token.client_refused"
	ClientBlocked   Kind = "token.client_blocked"
	AssertionReused Kind = "token.assertion_reused"
	TokenErrorShown Kind = "token.error_shown"
)

// The device flow's second screen, recorded by the device service.
const (
	DeviceApproved  Kind = "device.approved"
	DeviceDenied    Kind = "device.denied"
	DeviceRefused   Kind = "device.refused"
	UserCodeBlocked Kind = "device.user_code_blocked"
)

// Keys and the trail itself, recorded by the keys service and the operator.
const (
	KeyRotated     Kind = "keys.rotated"
	KeyOrdered     Kind = "keys.ordered"
	KeyRevoked     Kind = "keys.revoked"
	TrailSealed    Kind = "trail.sealed"
	TrailShortened Kind = "trail.shortened"
)

// Administration, recorded by the operator's binary. The detail names what changed, but never
// contains a secret.
const (
	TenantChanged      Kind = "operator.tenant_changed"
	UserChanged        Kind = "operator.user_changed"
	ApplicationChanged Kind = "operator.application_changed"
	SecretRotated      Kind = "operator.secret_rotated"
)

// Volume says how many rows a kind writes for its events.
type Volume string

// Volumes.
const (
	Each    Volume = "each"    // every time
	Limited Volume = "limited" // every time, up to a share for each address
	Counted Volume = "counted" // the first ten times in a window, then the hundredth, the thousandth …, with the count
	Sampled Volume = "sampled" // the first time in a window and then one in so many, with the count
)

// KindInfo describes a kind.
type KindInfo struct {
	Kind    Kind
	Volume  Volume
	Meaning string // what happened, and what the detail contains
}

// Kinds returns all kinds, by name.
func Kinds() []KindInfo { return slices.Clone(kinds) }

// Info returns the description of a kind. For a kind written by a later version it has only the
// name.
func Info(kind Kind) KindInfo {
	for _, info := range kinds {
		if info.Kind == kind {
			return info
		}
	}
	return KindInfo{Kind: kind, Volume: Each}
}

var kinds = []KindInfo{
	{
		CodeIssued, Each,
		"An application was given an authorization code. Detail: scope, resource, how (silent: a session answered; pages: the person saw at least one).",
	},
	{RequestRefused, Limited, "An authorization request ended at an error page. Detail: error, status."},
	{DeviceApproved, Each, "A person approved a device. Detail: scope."},
	{DeviceDenied, Each, "A person denied a device."},
	{DeviceRefused, Limited, "The device pages ended at an error page. Detail: error, status."},
	{UserCodeBlocked, Counted, "Too many wrong user codes. Detail: limit (address, person, platform), count, since."},
	{KeyOrdered, Each, "An operator requested a signing key. Detail: algorithm, generation, immediate."},
	{KeyRevoked, Each, "An operator revoked a signing key. Detail: kid, algorithm."},
	{KeyRotated, Each, "The keys service created a signing key. Detail: kid, algorithm, active_from."},
	{ApplicationChanged, Each, "An operator changed an application. Detail: what."},
	{SecretRotated, Each, "An operator gave an application a new secret. Detail: overlap."},
	{TenantChanged, Each, "An operator changed a tenant. Detail: what."},
	{UserChanged, Each, "An operator changed a person. Detail: what."},
	{ConsentDenied, Each, "A person denied an application what it asked for."},
	{ConsentGiven, Each, "A person allowed an application what it asked for. Detail: scope, resource."},
	{ConsentWithdrawn, Each, "A person withdrew their consent; the application's grants ended."},
	{SessionCreated, Each, "A session began. Detail: acr, amr, expires_at."},
	{SessionEnded, Each, "A session was ended. Detail: by (person, operator, application), why."},
	{ErrorShown, Limited, "The sign-in pages ended at an error page. Detail: error, status."},
	{FormRefused, Limited, "A form or flow came from another browser. Detail: error."},
	{LogoutDelivered, Each, "An application was notified of a logout (back-channel)."},
	{LogoutUndelivered, Each, "An application couldn't be notified of a logout; all attempts failed. Detail: outcome."},
	{PasswordChanged, Each, "A person changed their password. If an operator does, it is operator.user_changed."},
	{SessionPicked, Each, "A person chose one of several signed-in accounts in the browser."},
	{SessionReplaced, Each, "A session replaced another in the browser. Detail: by, why, successor."},
	{SignInBlocked, Counted, "Too many wrong passwords. Detail: count, since."},
	{SignInFailed, Each, "A password was wrong. The account is a keyed pseudonym of the typed address."},
	{SignedIn, Each, "A person signed in to go to an application. Detail: acr."},
	{SignedOut, Each, "A person signed out. Detail: by, why."},
	{
		SessionSwitched, Each,
		"A person chose the tenant. Detail: from, if a session continued in another tenant.",
	},
	{AssertionReused, Each, "A jti was used twice (RFC 7523 3)."},
	{ClientBlocked, Counted, "Too many failed authentications of an application. Detail: count, since."},
	{ClientRefused, Each, "An application failed to authenticate."},
	{CodeReplayed, Each, "An authorization code was used twice; its grant was revoked."},
	{TokenErrorShown, Limited, "An error page was shown to a browser. Detail: error, status."},
	{TokenExchanged, Sampled, "A token was exchanged (RFC 8693). Detail: audience, actor, count, since."},
	{FamilyRevoked, Each, "All refresh tokens of a grant were revoked. Detail: reason."},
	{
		GrantCreated, Each,
		"An application redeemed a person's grant. Detail: scope, resource, offline, flow (code, device).",
	},
	{RefreshReused, Each, "A rotated refresh token was reused; its family was revoked."},
	{TokenRevoked, Each, "A token was revoked (RFC 7009)."},
	{TrailSealed, Each, "The keys service sealed a day of the trail. Detail: day, chains, events, hash, previous."},
	{
		TrailShortened, Each,
		"The keys service began to remove rows older than PLATFORM_AUDIT_RETENTION. Detail: before.",
	},
}

// Values of the detail "by", which says who ended a session.
const (
	ByPerson      = "person"
	ByOperator    = "operator"
	ByApplication = "application"
)
