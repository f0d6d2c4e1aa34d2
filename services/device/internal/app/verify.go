package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

// signInTTL is how long a sign-in for a device may take, provided that its code lives that long.
const signInTTL = grants.FlowTTL

// Visitor describes the browser that sent a request: the values of its cookies, which are
// empty for a missing cookie, its address, and the reference under which the request is
// found in traces and logs.
type Visitor struct {
	Browser   string
	Session   string
	Address   netip.Addr
	Reference string
}

// Visit is what a person who typed a code sees.
type Visit struct {
	Code *grants.DeviceCode
	App  *directory.Application
	// Session and User are nil if the person isn't signed in.
	Session *sessions.Session
	User    *directory.User
	// Decided is what User already decided about the code, or empty.
	Decided grants.DeviceDecision
}

// Look returns who is signed in and what the typed code stands for. The Visit names the
// person even if the code causes an error, and holds the person's own decision if the code
// no longer waits because of it. After too many wrong codes Look returns *limits.Error to a
// person who is signed in, and ErrSignInFirst to one who isn't.
func (d *Device) Look(ctx context.Context, typed string, visitor Visitor) (*Visit, error) {
	visit := &Visit{}
	var err error
	if visit.Session, visit.User, err = d.person(ctx, visitor); err != nil {
		return visit, err
	}
	return visit, d.find(ctx, typed, visit, visitor)
}

// note sets the decision that the signed-in person made about a code.
func (v *Visit) note(code *grants.DeviceCode) {
	if v.User != nil && code.UserID == v.User.ID {
		v.Decided = code.Decision
	}
}

// person returns the session and person that the browser is signed in as, if the person
// still may be, or nil.
func (d *Device) person(ctx context.Context, visitor Visitor) (*sessions.Session, *directory.User, error) {
	if visitor.Session == "" {
		return nil, nil, nil
	}

	session, err := d.Sessions.ByCookie(ctx, oauth.HashSecret(visitor.Session))
	if errors.Is(err, sessions.ErrNotFound) || (err == nil && !session.Usable(d.Now(), d.SessionIdle)) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look up the session: %w", err)
	}

	user, err := d.People.User(ctx, session.UserID)
	if errors.Is(err, directory.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look up the user: %w", err)
	}

	tenants, err := d.People.Tenants(ctx, session.UserID)
	if err != nil {
		return nil, nil, fmt.Errorf("look up the memberships: %w", err)
	}

	// The application isn't known yet; find checks whether the person may use it.
	if !directory.EntryTo(session.TenantID, user, tenants, nil, session.AMR).Stands() {
		return nil, nil, nil
	}

	return session, user, nil
}

// SignIn sends the browser to the sign-in pages for a code. handle names the flow. browser is a
// new browser cookie to set, or empty. SignIn returns *limits.Error if the browser or its address
// has started too many sign-ins.
func (d *Device) SignIn(ctx context.Context, visit *Visit, visitor Visitor) (handle, browser string, err error) {
	return d.toPages(ctx, visitor, &grants.Flow{
		Access: grants.Access{
			ClientID: visit.App.ClientID,
			Scope:    visit.Code.Scope,
			Resource: visit.Code.Resource,
		},
		Device:    &grants.DeviceSignIn{UserCode: visit.Code.UserCode},
		ExpiresAt: visit.Code.ExpiresAt,
	})
}

// SignInBefore is like SignIn for a code that isn't looked up before the person is signed in. The
// flow has no application, as it isn't known whether there is such a code.
func (d *Device) SignInBefore(
	ctx context.Context, userCode string, visitor Visitor,
) (handle, browser string, err error) {
	return d.toPages(ctx, visitor, &grants.Flow{Device: &grants.DeviceSignIn{UserCode: userCode}})
}

// toPages completes the flow of a sign-in, and names it. The flow travels sealed in the URL, so
// nothing is stored before a person types something there, unless there are too many scopes for
// a URL.
func (d *Device) toPages(
	ctx context.Context, visitor Visitor, flow *grants.Flow,
) (handle, browser string, err error) {
	if visitor.Browser == "" {
		if browser, err = oauth.NewSecret(d.Random); err != nil {
			return "", "", err
		}
		visitor.Browser = browser
	}

	if flow.ID, err = oauth.NewID("flw_", d.Random); err != nil {
		return "", "", err
	}

	now := d.Now()
	if last := now.Add(signInTTL); flow.ExpiresAt.IsZero() || last.Before(flow.ExpiresAt) {
		flow.ExpiresAt = last
	}

	flow.Kind = grants.KindDevice
	flow.BrowserHash = oauth.HashSecret(visitor.Browser)
	flow.CreatedAt = now

	if handle, err = d.Flows.Seal(ctx, flow); err != nil {
		return "", "", fmt.Errorf("seal the sign-in: %w", err)
	}

	if handle != "" {
		return handle, browser, nil
	}

	known := flow.BrowserHash
	if browser != "" { // the cookie is only being set now
		known = nil
	}

	if err := d.Starts.StartIn(ctx, now, known, visitor.Address); err != nil {
		return "", "", err
	}

	if err := d.Flows.InsertFlow(ctx, flow); err != nil {
		return "", "", fmt.Errorf("store the sign-in: %w", err)
	}

	return flow.ID, browser, nil
}

// Return answers a browser that comes back from the sign-in pages. It returns the user code
// that the browser left with, or the flow if the sign-in isn't finished. It returns
// ErrSignInGone if there is no such sign-in.
func (d *Device) Return(ctx context.Context, handle string, visitor Visitor) (userCode, pages string, err error) {
	if len(handle) > grants.MaxFlowID {
		return "", "", ErrSignInGone
	}

	flow, err := d.Flows.Flow(ctx, handle)
	if errors.Is(err, grants.ErrNotFound) || (err == nil && flow.Kind != grants.KindDevice) {
		return "", "", ErrSignInGone
	}
	if err != nil {
		return "", "", fmt.Errorf("look up the sign-in: %w", err)
	}

	switch {
	case visitor.Browser == "" || !oauth.SecretMatches(flow.BrowserHash, visitor.Browser):
		return "", "", ErrSignInGone
	case !d.Now().Before(flow.ExpiresAt):
		return "", "", ErrSignInGone
	case !flow.ConsumedAt.IsZero():
		return flow.Device.UserCode, "", nil // a reload; the page asks for a sign-in if there is no session
	case flow.Decision == grants.Undecided:
		return "", flow.Handle(), nil
	}

	// The browser must hold the session that answered, as at authorize, since its browser
	// cookie is older than the sign-in.
	session, _, err := d.person(ctx, visitor)
	if err != nil {
		return "", "", err
	}

	if session == nil || session.ID != flow.SessionID {
		return "", flow.Handle(), nil
	}

	// The flow granted nothing but a sign-in, so returning twice is harmless.
	if err := d.Flows.Consume(ctx, flow.ID, d.Now()); err != nil && !errors.Is(err, grants.ErrConsumed) {
		return "", "", fmt.Errorf("end the sign-in: %w", err)
	}

	return flow.Device.UserCode, "", nil
}

// ErrSignedInAgain means that the browser's cookies were renewed while a decision was under way.
// Nothing was decided; the page that the form came from asks again.
var ErrSignedInAgain = oauth.Errorf(oauth.LoginRequired,
	"the browser has signed in again meanwhile; send the decision again")

// ErrSignInGone means that a sign-in for a device has expired, never existed, or was
// started in another browser. It deliberately doesn't say which.
var ErrSignInGone = oauth.Errorf(oauth.InvalidRequest,
	"there is no such sign-in in this browser, or it has expired; enter the code again, with cookies allowed")

// Decide stores the decision of visit.Session's person (RFC 8628 3.3). The session must be
// set. Of several decisions the first counts.
func (d *Device) Decide(ctx context.Context, visit *Visit, visitor Visitor, decision grants.DeviceDecision) error {
	code := *visit.Code
	code.Decision, code.DecidedAt = decision, d.Now()
	code.UserID = visit.Session.UserID
	event := d.event(audit.DeviceDenied, visit, visitor)
	if decision == grants.DeviceApproved {
		var err error
		if code.GrantID, err = oauth.NewID("gnt_", d.Random); err != nil {
			return err
		}

		event.Kind, event.GrantID, event.Detail = audit.DeviceApproved, code.GrantID, map[string]string{"scope": code.Scope.String()}
		s := visit.Session
		code.TenantID, code.SessionID, code.SessionProof = s.TenantID, s.ID, s.Proof
		code.AuthTime, code.ACR, code.AMR = s.AuthTime, s.ACR, s.AMR
	}

	err := d.Codes.Decide(ctx, &code, code.DecidedAt)
	if errors.Is(err, grants.ErrDecided) { // decided in another tab, perhaps by the same person
		if before, lookErr := d.Codes.DeviceByUserCode(ctx, code.UserCode); lookErr == nil {
			visit.note(before)
		}
		return ErrUnknownCode
	}

	switch {
	case errors.Is(err, grants.ErrExpired), errors.Is(err, grants.ErrNotFound):
		return ErrUnknownCode
	case errors.Is(err, grants.ErrUnproven): // another tab has just signed in again
		return ErrSignedInAgain
	case err != nil:
		return fmt.Errorf("store the decision: %w", err)
	}

	d.record(ctx, event)
	return nil
}
