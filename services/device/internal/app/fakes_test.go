package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/device/internal/app"
	"github.com/platform-oauth/platform-oauth/services/device/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/device/internal/ports"
)

const (
	ada    = "usr_ada"
	acme   = "tnt_acme"
	cookie = "session cookie"
)

var (
	start   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	address = netip.MustParseAddr("192.0.2.7")
	errDisk = errors.New("could not extend file: no space left on device")
)

// world is a Device on real stores, whose faults and lost races a test orders.
type world struct {
	*app.Device
	rows   *grantstore.ForSession // what the session service does meanwhile
	codes  *codes
	flows  *flows
	counts *counts
	trail  *trail
	logs   *bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := testkit.SQLite(t)
	seed(t, db)
	store, counter := grantstore.NewForDevice(db), limitstore.New(db)
	starts := &limits.Starts{Counter: counter, Secret: []byte("secret"), Most: 60, Window: time.Hour}
	w := &world{
		rows:   grantstore.NewForSession(db),
		codes:  &codes{DeviceCodes: store},
		flows:  &flows{Flows: store},
		counts: &counts{Limits: counter},
		trail:  &trail{},
		logs:   &bytes.Buffer{},
	}
	now := func() time.Time { return start }

	w.Device = &app.Device{Config: app.Config{
		Applications: appcache.New(registry{}, appcache.Options{Now: now}),
		Clients:      &clientauth.Authenticator{Now: now},
		People:       directorystore.NewPeople(db),
		Sessions:     sessionstore.New(db),
		Codes:        w.codes,
		Crowds:       store,
		Flows:        w.flows,
		Limits:       w.counts,
		Starts:       starts,
		Requests:     starts.Of("device authorization"),
		Trail:        w.trail,
		SessionIdle:  12 * time.Hour,
		CodeTTL:      10 * time.Minute,
		GuessRule:    limits.Rule{Failures: 3, Window: time.Hour},
		MaxWaiting:   domain.MaxWaiting,
		GuessSecret:  []byte("secret"),
		Now:          now,
		Random:       rand.Reader,
		Logger:       slog.New(slog.NewTextHandler(w.logs, nil)),
	}}

	return w
}

// seed writes Ada and her session.
func seed(t *testing.T, db *database.DB) {
	t.Helper()
	require.NoError(t, directorystore.NewOperator(db).Tx(t.Context(), func(op *directorystore.Writer) error {
		require.NoError(t, op.SaveTenant(t.Context(), directory.Tenant{
			ID:     acme,
			Slug:   "acme",
			Name:   "Acme",
			Active: true,
		}, nil, start))

		return op.SaveUser(t.Context(), directory.User{
			ID:     ada,
			Email:  "ada@acme.test",
			Name:   "Ada",
			Active: true,
		}, []string{acme}, start)
	}))

	now := database.At(start)
	_, err := db.Exec(t.Context(), "test.session",
		`INSERT INTO sessions (id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at)
		VALUES ('ses_1', $1, $2, $3, $4, '1', $5, $4, $4, $6)`,
		oauth.HashSecret(cookie), ada, acme, now, database.JSON[[]string]{V: []string{"pwd"}},
		database.At(start.Add(720*time.Hour)))
	require.NoError(t, err)
}

// issue makes a device ask for a code.
func (w *world) issue(t *testing.T) (userCode string) {
	t.Helper()
	issued, err := w.Authorize(t.Context(),
		clientauth.Credentials{ClientID: "tv", Method: clientauth.None}, address, domain.Request{})
	require.NoError(t, err)
	return issued.UserCode
}

// visitor is a browser that Ada is signed in in.
func visitor() app.Visitor { return app.Visitor{Session: cookie, Address: address} }

// registry holds one application.
type registry struct{}

func (registry) Application(_ context.Context, id string) (*directory.Application, error) {
	if id != "tv" {
		return nil, directory.ErrNotFound
	}

	return &directory.Application{
		ClientID:   id,
		Type:       directory.Native,
		ScopeLevel: directory.Global,
		Active:     true,
		Grants:     []oauth.GrantType{oauth.GrantDeviceCode},
		Scopes:     oauth.Scopes{oauth.ScopeOpenID},
	}, nil
}

// codes is the real store with faults on order.
type codes struct {
	ports.DeviceCodes
	taken                 int // how many drawn user codes another device already has
	find, count, decide   error
	beforeFind, beforeDec func()
}

func (c *codes) InsertDeviceCode(ctx context.Context, code *grants.DeviceCode) (bool, error) {
	if c.taken > 0 {
		c.taken--
		return false, nil
	}
	return c.DeviceCodes.InsertDeviceCode(ctx, code)
}

func (c *codes) DeviceByUserCode(ctx context.Context, userCode string) (*grants.DeviceCode, error) {
	if c.beforeFind != nil {
		c.beforeFind()
	}
	if c.find != nil {
		return nil, c.find
	}

	return c.DeviceCodes.DeviceByUserCode(ctx, userCode)
}

func (c *codes) Decide(ctx context.Context, code *grants.DeviceCode, now time.Time) error {
	if c.beforeDec != nil {
		c.beforeDec()
	}
	if c.decide != nil {
		return c.decide
	}

	return c.DeviceCodes.Decide(ctx, code, now)
}

func (c *codes) Waiting(ctx context.Context, network string, now time.Time) (int, error) {
	if c.count != nil {
		return 0, c.count
	}
	return c.DeviceCodes.Waiting(ctx, network, now)
}

// flows is the real store, or fails to end a flow.
type flows struct {
	ports.Flows
	consume error
}

func (f *flows) Consume(ctx context.Context, id string, now time.Time) error {
	if f.consume != nil {
		return f.consume
	}
	return f.Flows.Consume(ctx, id, now)
}

// counts is the real store with faults on order.
type counts struct {
	ports.Limits
	fail, giveBack error
	taken, given   int
}

func (c *counts) Take(
	ctx context.Context, now time.Time, claims ...limits.Claim,
) (taken []limits.Taken, until time.Time, err error) {
	taken, until, err = c.Limits.Take(ctx, now, claims...)
	c.taken += len(taken)
	return taken, until, err
}

func (c *counts) Fail(ctx context.Context, now time.Time, rule limits.Rule, key limits.Key) (time.Time, error) {
	if c.fail != nil {
		return time.Time{}, c.fail
	}
	return c.Limits.Fail(ctx, now, rule, key)
}

func (c *counts) GiveBack(ctx context.Context, taken ...limits.Taken) error {
	if c.giveBack != nil {
		return c.giveBack
	}

	c.given += len(taken)
	return c.Limits.GiveBack(ctx, taken...)
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
