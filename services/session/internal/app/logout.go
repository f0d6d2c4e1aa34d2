package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

const maxState = 4096 // bytes

// LogoutRequest is a request of OpenID Connect RP-Initiated Logout 1.0 section 2. Empty
// parameters count as absent.
type LogoutRequest struct {
	IDTokenHint           string
	ClientID              string
	PostLogoutRedirectURI string
	State                 string
}

// PreparedLogout is the result of a valid logout request.
type PreparedLogout struct {
	App     *directory.Application // the application that asks; nil if the request doesn't name one
	Session *sessions.Session      // the session to end in this browser; nil if there is none
	Person  *directory.User        // the session's person, if they must be asked
	// ReturnTo is the registered URI with state added, or empty.
	ReturnTo string
	// AtOnce is set if no confirmation is needed, because the hint is valid and either names
	// this very session or finds no session to end. Otherwise the person decides, so that other
	// sites can't log people out with a GET.
	AtOnce bool
}

// Logout ends the session of a browser at an application's or the person's request.
type Logout struct {
	Browsers     *Browsers
	Journal      *Journal
	People       *directorystore.People
	Applications *appcache.Cache
	Hints        *signing.Hints
	Issuer       string
}

// Prepare checks a logout request against the browser's session and returns what to
// do. It changes nothing. The cookie determines which session ends; the hint only
// identifies the application that asks, so an expired one is accepted.
func (l *Logout) Prepare(ctx context.Context, r LogoutRequest, b Browser) (*PreparedLogout, error) {
	if len(r.State) > maxState {
		return nil, oauth.Errorf(oauth.InvalidRequest, "state is longer than %d bytes", maxState)
	}

	hint, err := l.hint(ctx, r.IDTokenHint)
	if err != nil {
		return nil, err
	}

	clientID := r.ClientID
	if hint != nil {
		if clientID == "" {
			clientID = hint.Client()
		} else if !slices.Contains(hint.Audience, clientID) {
			return nil, oauth.Errorf(oauth.InvalidRequest, "client_id is not the audience of id_token_hint")
		}
	}

	out := &PreparedLogout{}
	if err := l.target(ctx, out, clientID, r); err != nil {
		return nil, err
	}

	if out.Session, err = l.Browsers.session(ctx, b); err != nil {
		return nil, err
	}

	out.AtOnce = hint != nil && (out.Session == nil || hint.SessionID == out.Session.ID)
	if out.Session == nil || out.AtOnce {
		return out, nil
	}

	out.Person, err = l.People.User(ctx, out.Session.UserID)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return nil, fmt.Errorf("read the person: %w", err)
	}

	return out, nil
}

func (l *Logout) target(ctx context.Context, out *PreparedLogout, clientID string, r LogoutRequest) error {
	if clientID == "" {
		if r.PostLogoutRedirectURI != "" {
			return oauth.Errorf(oauth.InvalidRequest, "post_logout_redirect_uri needs an id_token_hint or a client_id")
		}
		return nil
	}

	app, err := l.Applications.Application(ctx, clientID)
	switch {
	case errors.Is(err, directory.ErrNotFound) || (err == nil && !app.Active):
		app = nil
	case err != nil:
		return fmt.Errorf("read the application: %w", err)
	}

	out.App = app

	if r.PostLogoutRedirectURI == "" {
		return nil
	}

	if app == nil || !slices.Contains(app.PostLogoutRedirectURIs, r.PostLogoutRedirectURI) {
		return oauth.Errorf(oauth.InvalidRequest, "post_logout_redirect_uri is not registered for the application")
	}

	out.ReturnTo = withState(r.PostLogoutRedirectURI, r.State)
	return nil
}

// withState appends state to the registered URI, keeping the URI's own query.
func withState(uri, state string) string {
	if state == "" {
		return uri
	}

	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + "state=" + url.QueryEscape(state)
}

// End ends the session and its online grants. It returns the cookies that replace
// the browser's, which carry no session, or nil if the browser had no session.
func (l *Logout) End(ctx context.Context, out *PreparedLogout, b Browser) (*NewCookie, error) {
	s := out.Session
	if s == nil {
		return nil, nil
	}

	fresh, err := l.Browsers.leave(ctx, s, b)
	if err != nil {
		return nil, err
	}

	event := audit.Event{
		Kind:      audit.SignedOut,
		UserID:    s.UserID,
		TenantID:  s.TenantID,
		SessionID: s.ID,
	}

	event.Detail = ended(audit.ByPerson, "signed_out")
	if out.App != nil {
		event.ClientID = out.App.ClientID
		event.Detail = ended(audit.ByApplication, "logout") // the application sent the person here
	}

	l.Journal.record(ctx, b, event)
	return fresh, nil
}

func (l *Logout) hint(ctx context.Context, token string) (*signing.Hint, error) {
	if token == "" {
		return nil, nil
	}

	hint, err := l.Hints.Read(ctx, token, l.Issuer)
	if err == nil {
		return hint, nil
	}

	if oauth.IsUnavailable(err) {
		return nil, fmt.Errorf("verify the hint: %w", err)
	}

	refused := oauth.Errorf(oauth.InvalidRequest, "id_token_hint is not an ID token of this issuer")
	refused.Cause = err
	return nil, refused
}
