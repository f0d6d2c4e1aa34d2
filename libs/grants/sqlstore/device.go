package sqlstore

import (
	"context"
	"net/netip"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// A user code that is taken isn't an error; the caller draws another.
const insertDeviceCode = `
INSERT INTO device_codes (device_code_hash, user_code, client_id, scope, resource, interval_seconds, address, network, created_at, expires_at, trace_parent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (user_code) DO NOTHING`

const selectDeviceByUserCode = `
SELECT device_code_hash, user_code, client_id, scope, resource, interval_seconds, address, created_at, expires_at, decision, decided_at,
       consumed_at, user_id, trace_parent
FROM device_codes WHERE user_code = $1`

const decideDevice = `
UPDATE device_codes
SET decision = $3, decided_at = $2, grant_id = $4, user_id = $5, tenant_id = $6, auth_time = $7, acr = $8, amr = $9, session_id = $10,
    session_proof = $11
WHERE device_code_hash = $1 AND decision = '' AND consumed_at IS NULL AND expires_at > $2`

const selectDeviceDecision = `SELECT decision FROM device_codes WHERE device_code_hash = $1`

const consumeSignIn = `
UPDATE authorization_requests SET consumed_at = $1 WHERE id = $2 AND kind = 'device' AND consumed_at IS NULL AND expires_at > $1`

// ForDevice is the device service's store.
type ForDevice struct {
	db *database.DB
	sealing
}

// NewForDevice returns the device service's store.
func NewForDevice(db *database.DB) *ForDevice { return &ForDevice{db: db} }

// Sealing returns the store with the given sealer for flows. Without a sealer every flow needs a
// row.
func (s *ForDevice) Sealing(sealer *sealed.Sealer) *ForDevice {
	return &ForDevice{db: s.db, sealing: sealing{sealer}}
}

// InsertDeviceCode stores a new code. It returns false if the user code is taken.
func (s *ForDevice) InsertDeviceCode(ctx context.Context, c *grants.DeviceCode) (bool, error) {
	n, err := s.db.Exec(ctx, "device_codes.insert", insertDeviceCode, c.Hash, c.UserCode, c.ClientID,
		c.Scope.String(), c.Resource,
		wholeSeconds(c.Interval), c.Address, siteOf(c.Address), database.At(c.CreatedAt),
		database.At(c.ExpiresAt), madeIn(ctx))
	return n == 1, err
}

type deviceCodeRow struct {
	Hash        []byte        `db:"device_code_hash"`
	UserCode    string        `db:"user_code"`
	ClientID    string        `db:"client_id"`
	Scope       string        `db:"scope"`
	Resource    string        `db:"resource"`
	Interval    int64         `db:"interval_seconds"`
	Address     string        `db:"address"`
	CreatedAt   database.Time `db:"created_at"`
	ExpiresAt   database.Time `db:"expires_at"`
	Decision    string        `db:"decision"`
	DecidedAt   database.Time `db:"decided_at"`
	ConsumedAt  database.Time `db:"consumed_at"`
	UserID      string        `db:"user_id"`
	TraceParent string        `db:"trace_parent"`
}

// DeviceByUserCode returns a code in any state, by its user code (XXXX-XXXX), or
// grants.ErrNotFound. Of the person who decided, it reads only UserID, so that the person can
// be shown their decision. Only the token service reads the rest.
func (s *ForDevice) DeviceByUserCode(ctx context.Context, userCode string) (*grants.DeviceCode, error) {
	var row deviceCodeRow
	err := s.db.Get(ctx, "device_codes.by_user_code", &row, selectDeviceByUserCode, userCode)
	if err != nil {
		return nil, notFound(err)
	}

	linkToMaker(ctx, "device_codes", row.TraceParent)
	scope, _ := oauth.ParseScopes(row.Scope)
	return &grants.DeviceCode{
		Hash:       row.Hash,
		UserCode:   row.UserCode,
		ClientID:   row.ClientID,
		Scope:      scope,
		Resource:   row.Resource,
		Interval:   time.Duration(row.Interval) * time.Second,
		Address:    row.Address,
		CreatedAt:  row.CreatedAt.Time,
		ExpiresAt:  row.ExpiresAt.Time,
		Decision:   grants.DeviceDecision(row.Decision),
		DecidedAt:  row.DecidedAt.Time,
		ConsumedAt: row.ConsumedAt.Time,
		UserID:     row.UserID,
	}, nil
}

// Decide writes c.Decision, the person who decided and, for an approval, the grant and how the
// person had signed in (RFC 8628 3.3). Of any number of callers exactly one succeeds; the
// others get grants.ErrDecided, grants.ErrExpired or grants.ErrNotFound. An approval gets
// grants.ErrUnproven if c.SessionProof is the hash of none of the session's cookies.
func (s *ForDevice) Decide(ctx context.Context, c *grants.DeviceCode, now time.Time) error {
	n, err := s.db.Exec(ctx, "device_codes.decide", decideDevice, c.Hash, database.At(now), string(c.Decision),
		c.GrantID, c.UserID, c.TenantID, database.At(c.AuthTime), c.ACR, database.JSON[[]string]{V: c.AMR}, c.SessionID,
		c.SessionProof)
	if err != nil || n == 1 {
		return unproven(ctx, err)
	}

	var decision string
	err = s.db.Get(ctx, "device_codes.decision", &decision, selectDeviceDecision, c.Hash)
	switch {
	case err != nil:
		return notFound(err)
	case decision != "":
		return grants.ErrDecided
	default:
		return grants.ErrExpired
	}
}

const waitingCodes = `expires_at > $1 AND decision = '' AND consumed_at IS NULL`

// Waiting counts the codes that wait for their person and were requested by devices in networks
// other than network; see [limits.Site].
func (s *ForDevice) Waiting(ctx context.Context, network string, now time.Time) (int, error) {
	const count = `SELECT count(*) FROM device_codes WHERE ` + waitingCodes + ` AND (network <> $2 OR network = '')`
	var n int
	err := s.db.Get(ctx, "device_codes.waiting", &n, count, database.At(now), network)
	return n, err
}

// siteOf returns the network of an address as it is stored, or an empty string if it is not
// known.
func siteOf(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}

	return limits.Site(addr)
}

// DeleteExpired removes at most batch codes that expired before the given time, and returns how
// many it removed.
func (s *ForDevice) DeleteExpired(ctx context.Context, before time.Time, batch int) (int, error) {
	return s.db.DeleteDue(ctx, "device_codes", "device_code_hash", "expires_at < $1", before, batch)
}

// InsertFlow stores a flow of grants.KindDevice, that is, a sign-in that a device waits for.
func (s *ForDevice) InsertFlow(ctx context.Context, f *grants.Flow) error {
	return putFlow(ctx, s.db, f)
}

// Flow returns a flow in any state, by its id or by the token that it is sealed in, or
// grants.ErrNotFound.
func (s *ForDevice) Flow(ctx context.Context, handle string) (*grants.Flow, error) {
	return s.find(ctx, s.db, handle)
}

// Consume ends a sign-in. Of any number of callers exactly one succeeds; the others get
// grants.ErrConsumed, grants.ErrExpired or grants.ErrNotFound.
func (s *ForDevice) Consume(ctx context.Context, requestID string, now time.Time) error {
	n, err := s.db.Exec(ctx, "authorization_requests.consume", consumeSignIn, database.At(now), requestID)
	if err != nil || n == 1 {
		return err
	}

	f, err := s.Flow(ctx, requestID)
	switch {
	case err != nil:
		return err
	case f.Kind != grants.KindDevice:
		return grants.ErrNotFound
	case !f.ConsumedAt.IsZero():
		return grants.ErrConsumed
	default:
		return grants.ErrExpired
	}
}
