package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/services/token/internal/app"
	"github.com/platform-oauth/platform-oauth/services/token/internal/ports"
)

const (
	clientID    = "notes"
	redirectURI = "com.example.notes:/cb"
	grantID     = "gnt_1"
	// The pair of RFC 7636 appendix B.
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

var (
	start   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	errDisk = errors.New("could not extend file: no space left on device")
)

// world is an Issuer whose every port is a fake. Nothing fails until a test says so.
type world struct {
	issuer   *app.Issuer
	codes    *codes
	devices  *deviceCodes
	refresh  *refreshTokens
	backend  *backend
	trail    *trail
	outcomes *outcomes
	logs     *bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	keys, err := localkeys.Open(filepath.Join(t.TempDir(), "keys"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })

	w := &world{
		codes:    &codes{},
		devices:  &deviceCodes{},
		refresh:  &refreshTokens{},
		backend:  &backend{Backend: keys, signs: -1},
		trail:    &trail{},
		outcomes: &outcomes{},
		logs:     &bytes.Buffer{},
	}
	now := func() time.Time { return start }
	logger := slog.New(slog.NewTextHandler(w.logs, nil))

	ring := signing.NewRing(signing.RingOptions{
		Schedule: signingtest.NewSchedule(signingtest.NewKey(t, keys, signing.ES256, 1, start)),
		Backend:  w.backend,
		Now:      now,
		Logger:   logger,
	})
	require.NoError(t, ring.Load(t.Context()))

	recorder := &app.Trail{Events: w.trail, Logger: logger}
	w.issuer = app.NewIssuer(app.Config{
		Clients: &app.Clients{
			Applications:  appcache.New(registry{}, appcache.Options{Now: now}),
			Authenticator: &clientauth.Authenticator{Now: now}, // a public application sends no credentials
			Trail:         recorder,
		},
		Codes:           w.codes,
		DeviceCodes:     w.devices,
		RefreshTokens:   w.refresh,
		Trail:           recorder,
		Ring:            ring,
		Observer:        w.outcomes,
		Issuer:          "https://id.example",
		AccessTokenAlg:  signing.ES256,
		IDTokenAlg:      signing.ES256,
		AccessTokenTTL:  time.Hour,
		RefreshTokenTTL: 90 * 24 * time.Hour,
		RefreshIdleTTL:  30 * 24 * time.Hour,
		RefreshGrace:    10 * time.Second,
		Now:             now,
		Random:          rand.Reader,
		Logger:          logger,
	})

	return w
}

// request returns a request of the registered application.
func request(grant oauth.GrantType) app.Request {
	return app.Request{
		Caller: app.Caller{
			Credentials: clientauth.Credentials{ClientID: clientID, Method: clientauth.None},
			Address:     netip.MustParseAddr("192.0.2.7"),
		},
		GrantType:    grant,
		Code:         "code",
		RedirectURI:  redirectURI,
		CodeVerifier: verifier,
		DeviceCode:   "device code",
		RefreshToken: "refresh token",
	}
}

// registry holds one application.
type registry struct{}

func (registry) Application(_ context.Context, id string) (*directory.Application, error) {
	if id != clientID {
		return nil, directory.ErrNotFound
	}

	return &directory.Application{
		ClientID:   clientID,
		Type:       directory.Native,
		ScopeLevel: directory.Global,
		Active:     true,
		Grants: []oauth.GrantType{
			oauth.GrantAuthorizationCode, oauth.GrantDeviceCode, oauth.GrantRefreshToken,
		},
		Scopes: oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeOfflineAccess},
	}, nil
}

// backend makes as many signatures as signs says; any number if that is negative.
type backend struct {
	signing.Backend
	signs int
}

func (b *backend) Sign(ctx context.Context, key signing.Key, input []byte) ([]byte, error) {
	if b.signs == 0 {
		return nil, errors.New("connection refused")
	}

	b.signs--
	return b.Backend.Sign(ctx, key, input)
}

var (
	person = directory.User{ID: "usr_ada", Email: "ada@example.test", Active: true}
	tenant = directory.Tenant{ID: "tnt_acme", Slug: "acme", Active: true}
	behind = grants.Behind{Member: true, AppActive: true}
)

// revoked is the part of Codes and RefreshTokens that ends a grant.
type revoked struct {
	fault  error
	ended  bool // by an earlier call, in this replica or another
	grants []string
}

func (r *revoked) RevokeGrant(_ context.Context, id string, _ time.Time) (bool, error) {
	r.grants = append(r.grants, id)
	if r.fault != nil {
		return false, r.fault
	}

	first := !r.ended
	r.ended = true
	return first, nil
}

// codes holds one authorization code that may be redeemed.
type codes struct {
	redeem   error // what Redeem returns
	redeemed []grants.Grant
	revoked
}

var _ ports.Codes = (*codes)(nil)

func (*codes) Redeemable(_ context.Context, hash []byte, now time.Time) (*grants.Redeemable, error) {
	return &grants.Redeemable{
		AuthorizationCode: grants.AuthorizationCode{
			Hash:          hash,
			ClientID:      clientID,
			RedirectURI:   redirectURI,
			CodeChallenge: challenge,
			Scope:         oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeOfflineAccess},
			GrantID:       grantID,
			Offline:       true,
			UserID:        person.ID,
			TenantID:      tenant.ID,
			SessionID:     "ses_1",
			AMR:           []string{"pwd"},
			ExpiresAt:     now.Add(time.Minute),
		},
		User:        person,
		Tenant:      tenant,
		Behind:      behind,
		SessionLive: true,
	}, nil
}

func (c *codes) Redeem(
	_ context.Context, _ []byte, g grants.Grant, _ *grants.RefreshToken, _, _ time.Time,
) error {
	if c.redeem == nil {
		c.redeemed = append(c.redeemed, g)
	}
	return c.redeem
}

// deviceCodes holds one approved device code.
type deviceCodes struct{ redeem error }

var _ ports.DeviceCodes = (*deviceCodes)(nil)

func (*deviceCodes) PollDevice(
	_ context.Context, hash []byte, client string, now time.Time,
) (*grants.DevicePoll, error) {
	return &grants.DevicePoll{
		DeviceCode: grants.DeviceCode{
			Hash:      hash,
			ClientID:  client,
			Scope:     oauth.Scopes{oauth.ScopeOpenID},
			Decision:  grants.DeviceApproved,
			GrantID:   grantID,
			UserID:    person.ID,
			TenantID:  tenant.ID,
			AMR:       []string{"pwd"},
			ExpiresAt: now.Add(time.Minute),
		},
		User:        person,
		Tenant:      tenant,
		Behind:      behind,
		SessionLive: true,
	}, nil
}

func (d *deviceCodes) RedeemDevice(
	context.Context, []byte, grants.Grant, *grants.RefreshToken, time.Time, time.Time,
) error {
	return d.redeem
}

// refreshTokens holds one refresh token. Before it is rotated, beforeRotate may change it, as
// another replica would.
type refreshTokens struct {
	token        grants.RefreshToken
	used         bool // the successor has been rotated too
	beforeRotate func(*refreshTokens)
	repeat       func(*refreshTokens) error
	repeated     int
	revoked
}

var _ ports.RefreshTokens = (*refreshTokens)(nil)

func (r *refreshTokens) Refreshable(_ context.Context, hash []byte, now time.Time) (*grants.Refreshable, error) {
	token := r.token
	token.Hash, token.GrantID, token.ClientID = hash, grantID, clientID
	token.Scope = oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeOfflineAccess}
	token.ExpiresAt, token.AbsoluteExpiresAt = now.Add(time.Hour), now.Add(2*time.Hour)

	return &grants.Refreshable{
		RefreshToken: token,
		Standing: grants.Standing{
			Grant: grants.Grant{
				ID:       grantID,
				ClientID: clientID,
				UserID:   person.ID,
				TenantID: tenant.ID,
				Offline:  true,
				AMR:      []string{"pwd"},
			},
			User:   person,
			Tenant: tenant,
			Behind: behind,
		},
		SuccessorUsed: r.used,
	}, nil
}

func (r *refreshTokens) Rotate(_ context.Context, rotation *grants.Rotation, now time.Time) error {
	if r.beforeRotate != nil {
		r.beforeRotate(r)
	}
	if !r.token.RotatedAt.IsZero() {
		return grants.ErrConsumed
	}

	r.token.RotatedAt, r.token.SuccessorSeal = now, rotation.Seal
	return nil
}

func (r *refreshTokens) Repeat(context.Context, []byte, string, time.Time, time.Time) error {
	r.repeated++
	if r.repeat != nil {
		return r.repeat(r)
	}
	return nil
}

// trail keeps what it is told, or fails.
type trail struct {
	fault  error
	events []audit.Event
}

var _ audit.Trail = (*trail)(nil)

func (t *trail) Record(_ context.Context, e audit.Event) error {
	if t.fault != nil {
		return t.fault
	}

	t.events = append(t.events, e)
	return nil
}

func (t *trail) kinds() []audit.Kind {
	kinds := []audit.Kind{}
	for _, e := range t.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// outcomes keeps the outcome of each request.
type outcomes struct{ codes []oauth.Code }

var _ ports.Observer = (*outcomes)(nil)

func (o *outcomes) Answered(_ context.Context, _ oauth.GrantType, outcome oauth.Code) {
	o.codes = append(o.codes, outcome)
}
