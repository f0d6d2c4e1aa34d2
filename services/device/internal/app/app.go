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
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/device/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/device/internal/ports"
)

// maxDraws bounds how often a user code is drawn anew because it is taken: with
// 20^8 of them a second draw is rare and a fifth means a broken source.
const maxDraws = 5

// Config is what a Device works with; every field is needed.
type Config struct {
	Applications ports.Applications
	Clients      ports.Authenticator
	People       ports.People
	Sessions     ports.Sessions
	Codes        ports.Codes
	Crowds       ports.Crowds
	SignIns      ports.SignIns
	Guesses      ports.Guesses
	Starts       ports.Starts
	Trail        ports.Trail
	SessionIdle  time.Duration
	CodeTTL      time.Duration
	GuessRule    limits.Rule // how many wrong codes an address or session may type
	MaxWaiting   int         // codes of an application whose devices have no credentials
	GuessSecret  []byte      // what the keys of guesses are made with
	Now          func() time.Time
	Random       io.Reader
	Logger       *slog.Logger
}

// Device is device authorization (RFC 8628).
type Device struct{ Config }

// Issued are the codes of one device.
type Issued struct {
	DeviceCode string // secret, for the device alone
	UserCode   string // for the person
	ExpiresIn  time.Duration
	Interval   time.Duration
}

// Authorize gives a device its codes (RFC 8628 3.2). A name alone is enough where
// the application does not demand more, but credentials that are sent must be
// right.
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
	if credentials.Method == clientauth.None { // anybody may send a client_id
		if err := d.Starts.Start(ctx, now, from); err != nil {
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

// makeRoom bounds how many codes of an application wait. The network that has the
// most of them makes room for others.
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

// client is the application that asks.
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
		if kind, tell := clientauth.Refusal(err); tell && app != nil { // strangers invent names
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
