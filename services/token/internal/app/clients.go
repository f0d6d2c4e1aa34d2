package app

import (
	"context"
	"errors"
	"net/netip"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
)

// Caller identifies the sender of a request.
type Caller struct {
	Credentials clientauth.Credentials
	Address     netip.Addr
}

// Clients finds and authenticates applications in the same way at every endpoint that
// requires authentication. Every field is required.
type Clients struct {
	Applications  *appcache.Cache
	Authenticator *clientauth.Authenticator
	Trail         *Trail
}

// authenticate returns the application that the caller has authenticated as.
func (s *Clients) authenticate(ctx context.Context, caller Caller) (*directory.Application, error) {
	app, err := s.Applications.Application(ctx, caller.Credentials.ClientID)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return nil, err
	}

	if err := s.Authenticator.Authenticate(ctx, app, caller.Credentials, caller.Address); err != nil {
		s.refused(ctx, app, caller, err)
		return nil, err
	}
	return app, nil
}

// refused records the failure, except for unknown or already blocked clients, so that an
// attack can't fill the table.
func (s *Clients) refused(ctx context.Context, app *directory.Application, caller Caller, err error) {
	kind, tell := clientauth.Refusal(err)
	if app == nil || !tell {
		return
	}

	s.Trail.record(ctx, audit.Event{
		Kind:     kind,
		ClientID: caller.Credentials.ClientID,
		Address:  caller.Address.String(),
		Detail:   map[string]string{"method": string(caller.Credentials.Method)},
	})
}
