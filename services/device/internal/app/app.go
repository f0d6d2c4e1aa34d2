package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/device/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/device/internal/ports"
)

// maxDraws bounds how often a new user code is drawn because the last one was taken. With
// 20^8 possible codes a second draw is rare, and needing a fifth means that the random
// source is broken.
const maxDraws = 5

// Config holds what a Device needs. Every field is required.
type Config struct {
	Applications *appcache.Cache
	Clients      *clientauth.Authenticator
	People       *directorystore.People
	Sessions     *sessionstore.Store
	Codes        ports.DeviceCodes
	Crowds       *grantstore.ForDevice // makes room among the waiting codes of an application
	Flows        ports.Flows
	Limits       ports.Limits
	Starts       *limits.Starts // counts sign-ins that are stored
	Requests     *limits.Starts // counts requests for codes that anyone can send
	Trail        audit.Trail
	SessionIdle  time.Duration
	CodeTTL      time.Duration
	GuessRule    limits.Rule // how many wrong codes an address or person may type
	MaxWaiting   int         // waiting codes per application whose devices have no credentials
	GuessSecret  []byte      // keys the identifiers under which guesses are counted
	Now          func() time.Time
	Random       io.Reader
	Logger       *slog.Logger
}

// Device implements device authorization (RFC 8628).
type Device struct{ Config }

// Issued holds the codes of one device.
type Issued struct {
	DeviceCode string // secret, for the device only
	UserCode   string // for the person
	ExpiresIn  time.Duration
	Interval   time.Duration
}

// Authorize issues codes to a device (RFC 8628 3.2). The client_id alone suffices unless
// the application requires more, but credentials that are sent must be right.
func (d *Device) Authorize(
	ctx context.Context, credentials clientauth.Credentials, from netip.Addr, request domain.Request,
) (*Issued, error) {
	app, err := d.client(ctx, credentials, from)
	if err != nil {
		return nil, err
	}

	code, refusal := request.Code(app)
	if refusal != nil {
		return nil, refusal
	}

	now := d.Now()
	if credentials.Method == clientauth.None { // anyone can send a client_id
		if err := d.Requests.Start(ctx, now, from); err != nil {
			return nil, err
		}
		if err := d.makeRoom(ctx, app, from, now); err != nil {
			return nil, err
		}
	}

	secret, err := oauth.NewSecret(d.Random)
	if err != nil {
		return nil, err
	}

	code.Hash, code.CreatedAt = oauth.HashSecret(secret), now
	code.ExpiresAt = code.CreatedAt.Add(d.CodeTTL)

	if from.IsValid() {
		code.Address = from.Unmap().WithZone("").String()
	}

	if err := d.insert(ctx, code); err != nil {
		return nil, err
	}

	return &Issued{
		DeviceCode: secret,
		UserCode:   code.UserCode,
		ExpiresIn:  d.CodeTTL,
		Interval:   code.Interval,
	}, nil
}

// makeRoom limits how many codes of an application wait at once. The network that has the
// most of them has to give way.
func (d *Device) makeRoom(ctx context.Context, app *directory.Application, from netip.Addr, now time.Time) error {
	room, err := d.Crowds.MakeRoom(ctx, app.ClientID, limits.Site(from), d.MaxWaiting, now)
	if err != nil {
		return fmt.Errorf("count the waiting codes: %w", err)
	}
	if !room {
		return limits.Refuse(limits.Flow, now.Add(d.CodeTTL/10), now)
	}

	return nil
}

func (d *Device) insert(ctx context.Context, code *grants.DeviceCode) error {
	for range maxDraws {
		var err error
		if code.UserCode, err = oauth.NewUserCode(d.Random); err != nil {
			return err
		}

		inserted, err := d.Codes.InsertDeviceCode(ctx, code)
		if err != nil {
			return fmt.Errorf("store the device code: %w", err)
		}
		if inserted {
			return nil
		}
	}

	return errors.New("device: no free user code found")
}

// client returns the application that sent the request.
func (d *Device) client(
	ctx context.Context, credentials clientauth.Credentials, from netip.Addr,
) (*directory.Application, error) {
	app, err := d.Applications.Application(ctx, credentials.ClientID)
	if errors.Is(err, directory.ErrNotFound) {
		app = nil
	} else if err != nil {
		return nil, fmt.Errorf("look up the application: %w", err)
	}

	if credentials.Method != clientauth.None || app == nil || (app.DeviceRequiresAuth && !app.Public()) {
		err := d.Clients.Authenticate(ctx, app, credentials, from)
		if kind, tell := clientauth.Refusal(err); tell && app != nil { // clients can invent names
			d.record(ctx, audit.Event{
				Kind:     kind,
				ClientID: app.ClientID,
				Address:  from.String(),
				Detail:   map[string]string{"method": string(credentials.Method)},
			})
		}

		return app, err
	}

	switch {
	case !app.Active:
		return nil, oauth.Errorf(oauth.InvalidClient, "client authentication failed")
	case app.ScopeLevel != directory.Global:
		return nil, oauth.Errorf(oauth.UnauthorizedClient,
			"the application is limited to one tenant and cannot use this endpoint")
	}

	return app, nil
}
