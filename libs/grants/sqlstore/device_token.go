package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// pollAttempts bounds how often one poll is counted again because another poll of the same code
// came in between. A client that loses this often is too fast in any case.
const pollAttempts = 3

var selectDevicePoll = `
SELECT c.user_code, c.client_id, c.scope, c.resource, c.interval_seconds, c.created_at, c.expires_at, c.decision, c.decided_at,
       c.grant_id, c.user_id, c.tenant_id, c.session_id, c.auth_time, c.acr, c.amr, c.last_polled_at, c.consumed_at,
       c.trace_parent,` + whoColumns + `,` + signedInColumn + `
FROM device_codes c` + whoJoins + sessionJoin + `
WHERE c.device_code_hash = $1`

// The row must still hold the values that were read, so that of two simultaneous polls only one
// counts as the first.
const updateDevicePoll = `
UPDATE device_codes SET interval_seconds = $2, last_polled_at = $3
WHERE device_code_hash = $1 AND decision = '' AND consumed_at IS NULL
  AND interval_seconds = $4 AND last_polled_at IS NOT DISTINCT FROM $5`

// The session that approved must still be live. The grant outlives it.
var consumeDevice = `
UPDATE device_codes AS c SET consumed_at = $2
WHERE device_code_hash = $1 AND grant_id = $3 AND decision = 'approved' AND consumed_at IS NULL AND expires_at > $2` +
	behindCode + `
  AND ` + directorystore.Stands("c")

type devicePollRow struct {
	UserCode     string                  `db:"user_code"`
	ClientID     string                  `db:"client_id"`
	Scope        string                  `db:"scope"`
	Resource     string                  `db:"resource"`
	Interval     int64                   `db:"interval_seconds"`
	CreatedAt    database.Time           `db:"created_at"`
	ExpiresAt    database.Time           `db:"expires_at"`
	Decision     string                  `db:"decision"`
	DecidedAt    database.Time           `db:"decided_at"`
	GrantID      string                  `db:"grant_id"`
	UserID       string                  `db:"user_id"`
	TenantID     string                  `db:"tenant_id"`
	SessionID    string                  `db:"session_id"`
	AuthTime     database.Time           `db:"auth_time"`
	ACR          string                  `db:"acr"`
	AMR          database.JSON[[]string] `db:"amr"`
	LastPolledAt database.Time           `db:"last_polled_at"`
	ConsumedAt   database.Time           `db:"consumed_at"`
	TraceParent  string                  `db:"trace_parent"`
	who
	SessionLive bool `db:"session_live"`
}

func (r *devicePollRow) poll(codeHash []byte) *grants.DevicePoll {
	scope, _ := oauth.ParseScopes(r.Scope)
	return &grants.DevicePoll{
		DeviceCode: grants.DeviceCode{
			Hash:         codeHash,
			UserCode:     r.UserCode,
			ClientID:     r.ClientID,
			Scope:        scope,
			Resource:     r.Resource,
			Interval:     time.Duration(r.Interval) * time.Second,
			CreatedAt:    r.CreatedAt.Time,
			ExpiresAt:    r.ExpiresAt.Time,
			Decision:     grants.DeviceDecision(r.Decision),
			DecidedAt:    r.DecidedAt.Time,
			GrantID:      r.GrantID,
			UserID:       r.UserID,
			TenantID:     r.TenantID,
			SessionID:    r.SessionID,
			AuthTime:     r.AuthTime.Time,
			ACR:          r.ACR,
			AMR:          r.AMR.V,
			LastPolledAt: r.LastPolledAt.Time,
			ConsumedAt:   r.ConsumedAt.Time,
		},
		User:        r.user(r.UserID),
		Tenant:      r.tenant(r.TenantID),
		Behind:      r.behind(),
		SessionLive: r.SessionLive,
	}
}

// PollDevice returns the device code of a client by its SHA-256, in any state, and counts the
// poll while the code is undecided (RFC 8628 3.5). The interval and the last compliant poll are
// kept in the row, so that all replicas agree. It returns grants.ErrNotFound for an unknown
// code and for another client's, whose row stays unchanged.
func (s *ForToken) PollDevice(
	ctx context.Context, codeHash []byte, clientID string, now time.Time,
) (*grants.DevicePoll, error) {
	for range pollAttempts {
		poll, counted, err := s.pollOnce(ctx, codeHash, clientID, now)
		if err != nil || counted {
			return poll, err
		}
	}

	poll, err := s.device(ctx, codeHash, clientID, now)
	if err != nil {
		return nil, err
	}

	poll.TooFast = poll.Waiting(now)
	return poll, nil
}

// pollOnce returns counted=false if another poll changed the row in between.
func (s *ForToken) pollOnce(
	ctx context.Context, codeHash []byte, clientID string, now time.Time,
) (poll *grants.DevicePoll, counted bool, err error) {
	poll, err = s.device(ctx, codeHash, clientID, now)
	if err != nil || !poll.Waiting(now) {
		return poll, true, err
	}

	before := poll.DeviceCode
	poll.TooFast = poll.Poll(now)

	if poll.Interval == before.Interval && poll.LastPolledAt.Equal(before.LastPolledAt) {
		return poll, true, nil
	}

	n, err := s.db.Exec(ctx, "device_codes.poll", updateDevicePoll, codeHash, wholeSeconds(poll.Interval),
		database.At(poll.LastPolledAt),
		wholeSeconds(before.Interval), database.At(before.LastPolledAt))
	return poll, n == 1, err
}

func wholeSeconds(d time.Duration) int64 { return int64(d / time.Second) }

func (s *ForToken) device(
	ctx context.Context, codeHash []byte, clientID string, now time.Time,
) (*grants.DevicePoll, error) {
	var row devicePollRow
	err := s.db.Get(ctx, "device_codes.find", &row, selectDevicePoll, codeHash, database.At(now))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, grants.ErrNotFound
	case err != nil:
		return nil, err
	case row.ClientID != clientID:
		return nil, grants.ErrNotFound
	}

	linkToMaker(ctx, "device_codes", row.TraceParent)
	return row.poll(codeHash), nil
}

// RedeemDevice consumes an approved device code and stores its grant, with the first refresh
// token if refresh isn't nil, in one step (RFC 8628 3.4). Of any number of callers exactly one
// succeeds. The others get grants.ErrConsumed, grants.ErrExpired, grants.ErrRevoked if the
// session that approved has ended or is another person's, or grants.ErrNotFound if there is no
// approval with this grant's id. expiresAt is when the grant's last token expires.
func (s *ForToken) RedeemDevice(
	ctx context.Context, codeHash []byte, g grants.Grant, refresh *grants.RefreshToken, expiresAt, now time.Time,
) error {
	redeemed, err := s.consumeAndInsert(ctx, "device_codes.redeem", consumeDevice, codeHash, g, refresh, expiresAt, now)
	if err != nil || redeemed == 1 {
		return err
	}
	return s.whyNotRedeemed(ctx, codeHash, g, now)
}

func (s *ForToken) whyNotRedeemed(ctx context.Context, codeHash []byte, g grants.Grant, now time.Time) error {
	poll, err := s.device(ctx, codeHash, g.ClientID, now)
	switch {
	case err != nil:
		return err
	case !poll.ConsumedAt.IsZero():
		return grants.ErrConsumed
	case !now.Before(poll.ExpiresAt):
		return grants.ErrExpired
	case poll.Decision == grants.DeviceApproved && poll.GrantID == g.ID && !poll.SessionLive:
		return grants.ErrRevoked
	default:
		return grants.ErrNotFound
	}
}
