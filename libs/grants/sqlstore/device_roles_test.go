package sqlstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// approved stores a code that the person of seedPeople approved.
func approved(t *testing.T, db *database.DB, secret, userCode string) *grants.DeviceCode {
	t.Helper()
	return approvedBy(t, db, secret, userCode, []string{oauth.AMRPassword})
}

// approvedBy is approved in a session that was authenticated by amr.
func approvedBy(t *testing.T, db *database.DB, secret, userCode string, amr []string) *grants.DeviceCode {
	t.Helper()
	store, code := sqlstore.NewForDevice(db), deviceCode(secret, userCode)
	code.CreatedAt, code.ExpiresAt = flowStart, flowStart.Add(10*time.Minute)
	inserted, err := store.InsertDeviceCode(t.Context(), code)
	require.NoError(t, err)
	require.True(t, inserted)
	code.Decision, code.DecidedAt, code.GrantID, code.UserID, code.TenantID = grants.DeviceApproved, flowStart, "grt_"+
		secret, flowUser.ID, flowTenant.ID
	code.SessionID, code.SessionProof = "ses_1", cookieHash
	code.AuthTime, code.ACR, code.AMR = flowStart.Add(-time.Minute), oauth.ACRPassword, amr
	require.NoError(t, store.Decide(t.Context(), code, flowStart))
	return code
}

func deviceGrant(c *grants.DeviceCode) grants.Grant {
	return grants.Grant{
		ID:        c.GrantID,
		ClientID:  c.ClientID,
		UserID:    c.UserID,
		TenantID:  c.TenantID,
		Scope:     c.Scope,
		Resource:  c.Resource,
		Offline:   true,
		AuthTime:  flowStart,
		ACR:       "1",
		AMR:       []string{"pwd"},
		CreatedAt: flowStart,
	}
}

func TestAnApprovalIsReadWithThePersonBehindIt(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for name, tt := range gone {
			t.Run(name, func(t *testing.T) {
				empty(t, db)
				change(t, db, `DELETE FROM device_codes`)
				seedPeople(t, db)
				code := approved(t, db, "a", "BBBB-BBBB")
				change(t, db, tt.sql, tt.args...)
				poll, err := sqlstore.NewForToken(db).PollDevice(t.Context(), code.Hash, code.ClientID, flowStart)
				require.NoError(t, err)
				want := *code
				want.SessionProof = nil
				want.Address = "" // where the device asked from is for the approving page alone
				require.Equal(t, want, poll.DeviceCode)
				require.Equal(t, [3]bool{tt.user, tt.tenant, tt.member},
					[3]bool{poll.User.Active, poll.Tenant.Active, poll.Member})
				require.Equal(t, tt.session, poll.SessionLive, "the session that approved")
				require.Equal(t, tt.user && tt.tenant && tt.member && tt.session, poll.Live())
				require.False(t, poll.TooFast, "a decided code is not paced (RFC 8628 3.5)")
			})
		}
	})
}

func TestARefusedDeviceIsToldSo(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store, code := sqlstore.NewForDevice(db), deviceCode("a", "BBBB-BBBB")
		code.CreatedAt = deviceNow.Add(789 * time.Nanosecond).In(time.FixedZone("UTC+5:45", 20700))
		_, err := store.InsertDeviceCode(t.Context(), code)
		require.NoError(t, err)
		code.CreatedAt = deviceNow
		code.Decision = grants.DeviceDenied
		require.NoError(t, store.Decide(t.Context(), code, deviceNow))
		require.ErrorIs(t, store.Decide(t.Context(), code, code.ExpiresAt), grants.ErrDecided)

		token := sqlstore.NewForToken(db)
		poll, err := token.PollDevice(t.Context(), code.Hash, code.ClientID, deviceNow)
		require.NoError(t, err)
		code.DecidedAt, code.AMR = deviceNow, []string{}
		code.Address = "" // for the person who decides, not for the token service
		require.Equal(t, *code, poll.DeviceCode)
		require.False(t, poll.Live(), "no person is behind it")
		g := grants.Grant{ID: "", ClientID: code.ClientID, CreatedAt: deviceNow}
		require.ErrorIs(t, token.RedeemDevice(t.Context(), code.Hash, g, nil, deviceNow, deviceNow), grants.ErrNotFound,
			"RFC 8628 3.5, access_denied")
		require.Zero(t, count(t, db, "grants"))
	})
}

func TestADeviceGrantThatCannotBeStoredDoesNotBurnTheCode(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		store, code := sqlstore.NewForToken(db), approved(t, db, "a", "BBBB-BBBB")
		change(t, db,
			`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, offline, created_at, expires_at)
			VALUES ('grt_a', 'c', 'u', 't', 's', 'openid', false, $1, $1)`, database.At(flowStart))
		err := store.RedeemDevice(t.Context(), code.Hash, deviceGrant(code), nil, flowStart.Add(time.Hour), flowStart)
		require.Equal(t, database.KindConflict, database.Classify(t.Context(), err))
		change(t, db, `DELETE FROM grants`)
		require.NoError(t,
			store.RedeemDevice(t.Context(), code.Hash, deviceGrant(code), nil, flowStart.Add(time.Hour), flowStart))
		standing, err := store.Standing(t.Context(), "grt_a", nil, flowStart)
		require.NoError(t, err)
		require.Equal(t, deviceGrant(code), standing.Grant)
		require.True(t, standing.Live())
		require.Equal(t, 1, count(t, db, "grants WHERE session_id = ''"))
	})
}

func TestTheDeviceFlowHearsThatItsCallerWentAway(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seedPeople(t, db)
		device, token := sqlstore.NewForDevice(db), sqlstore.NewForToken(db)
		code := approved(t, db, "a", "BBBB-BBBB")
		request := newRequest("flw_1")
		request.Kind = grants.KindDevice
		require.NoError(t, device.InsertFlow(t.Context(), request))
		requireCanceled(t, map[string]func(context.Context) error{
			"InsertDeviceCode": func(ctx context.Context) error {
				_, err := device.InsertDeviceCode(ctx, deviceCode("b", "CCCC-CCCC"))
				return err
			},
			"DeviceByUserCode": func(ctx context.Context) error {
				_, err := device.DeviceByUserCode(ctx,
					"BBBB-BBBB")
				return err
			},
			"Decide": func(ctx context.Context) error { return device.Decide(ctx, code, flowStart) },
			"DeleteExpired": func(ctx context.Context) error {
				_, err := device.DeleteExpired(ctx, flowStart.Add(time.Hour), 9)
				return err
			},
			"InsertFlow": func(ctx context.Context) error { return device.InsertFlow(ctx, newRequest("flw_2")) },
			"Flow":       func(ctx context.Context) error { _, err := device.Flow(ctx, "flw_1"); return err },
			"Consume":    func(ctx context.Context) error { return device.Consume(ctx, "flw_1", flowStart) },
			"PollDevice": func(ctx context.Context) error {
				_, err := token.PollDevice(ctx, code.Hash, code.ClientID, flowStart)
				return err
			},
			"RedeemDevice": func(ctx context.Context) error {
				return token.RedeemDevice(ctx, code.Hash, deviceGrant(code), nil, flowStart, flowStart)
			},
		})

		require.Equal(t, 1, count(t, db, "device_codes WHERE consumed_at IS NULL"))
		require.Equal(t, 1, count(t, db, "authorization_requests WHERE consumed_at IS NULL"))
		require.Zero(t, count(t, db, "grants"))
	})
}

// The rights in roles.sql and the statements here must agree, for the device
// flow too.
func TestTheDeviceFlowNeedsNoMoreThanItsServicesRoles(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	seedPeople(t, testkit.OpenPostgres(t, url))
	as := func(group string) *database.DB { return testkit.OpenPostgres(t, server.LoginURL(t, url, group)) }
	onDevice, onToken := as("platform_device"), as("platform_token")
	device, token, ctx := sqlstore.NewForDevice(onDevice), sqlstore.NewForToken(onToken), t.Context()

	request := newRequest("flw_1")
	request.Kind = grants.KindDevice
	waitingCode := deviceCode("waiting", "DDDD-DDDD")
	var code *grants.DeviceCode
	for _, step := range []struct {
		name string
		call func() error
	}{
		{"InsertDeviceCode", func() error { _, err := device.InsertDeviceCode(ctx, waitingCode); return err }},
		{"Decide", func() error { code = approved(t, onDevice, "a", "BBBB-BBBB"); return nil }},
		{"DeviceByUserCode", func() error { _, err := device.DeviceByUserCode(ctx, "BBBB-BBBB"); return err }},
		{"InsertFlow", func() error { return device.InsertFlow(ctx, request) }},
		{"Flow", func() error { _, err := device.Flow(ctx, "flw_1"); return err }},
		{"SetLogin of its request", func() error {
			return sqlstore.NewForSession(as("platform_session")).SetLogin(ctx, "flw_1", "x", flowStart)
		}},
		{"Consume", func() error { return device.Consume(ctx, "flw_1", flowStart) }},
		{"PollDevice", func() error { _, err := token.PollDevice(ctx, waitingCode.Hash, "tv", deviceNow); return err }},
		{
			"PollDevice again, too fast",
			func() error { _, err := token.PollDevice(ctx, waitingCode.Hash, "tv", deviceNow); return err },
		},
		{"RedeemDevice", func() error {
			return token.RedeemDevice(ctx, code.Hash, deviceGrant(code), nil, flowStart.Add(time.Hour), flowStart)
		}},
		{
			"DeleteExpired",
			func() error { _, err := device.DeleteExpired(ctx, flowStart.Add(time.Hour), 9); return err },
		},
	} {
		require.NoError(t, step.call(), step.name)
	}

	require.ErrorIs(t, device.Decide(ctx, code, flowStart), grants.ErrNotFound)
	require.ErrorIs(t, device.Consume(ctx, "flw_1", flowStart), grants.ErrConsumed)
	require.ErrorIs(t,
		token.RedeemDevice(ctx, code.Hash, deviceGrant(code), nil, flowStart, flowStart), grants.ErrNotFound)

	for name, err := range map[string]error{
		"the device service redeems nothing": sqlstore.NewForToken(onDevice).RedeemDevice(ctx, code.Hash,
			deviceGrant(code), nil, flowStart, flowStart),
		"the token service approves nothing": sqlstore.NewForDevice(onToken).Decide(ctx, code, flowStart),
		"the token service starts no flow":   sqlstore.NewForDevice(onToken).InsertFlow(ctx, request),
		"the device service issues no code":  sqlstore.NewForAuthorize(onDevice).Issue(ctx, newCode("a", "")),
		"the device service decides no flow": sqlstore.NewForSession(onDevice).Decide(ctx, "flw_1",
			grants.SignedIn, "s", "t", flowStart),
	} {
		require.ErrorContains(t, err, "permission denied", name)
	}
}
