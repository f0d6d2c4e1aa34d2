package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/ending"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// allowed reads both consents and live grants. An online grant lives as long as its
// session, an offline one until it expires.
const allowed = `
SELECT x.client_id, x.tenant_id, x.scope, x.offline, x.since, COALESCE(a.name, '') AS name
FROM (
	SELECT c.client_id, c.tenant_id, c.scope, false AS offline, c.updated_at AS since FROM consents c WHERE c.user_id = $1
	UNION ALL
	SELECT g.client_id, g.tenant_id, g.scope, g.offline, g.created_at FROM grants g
	LEFT JOIN sessions s ON s.id = g.session_id
	WHERE g.user_id = $1 AND g.revoked_at IS NULL AND g.expires_at > $2
	  AND (g.offline OR s.ended_at IS NULL AND s.expires_at > $2)
) x LEFT JOIN applications a ON a.client_id = x.client_id`

type allowanceRow struct {
	ClientID string        `db:"client_id"`
	TenantID string        `db:"tenant_id"`
	Scope    string        `db:"scope"`
	Offline  bool          `db:"offline"`
	Since    database.Time `db:"since"`
	Name     string        `db:"name"`
}

// Allowed lists what a person allows, merged per client and tenant and sorted by name.
func (s *Store) Allowed(ctx context.Context, userID string, now time.Time) ([]ports.Allowance, error) {
	var rows []allowanceRow
	if err := s.db.Select(ctx, "allowances.of_user", &rows, allowed, userID, database.At(now)); err != nil {
		return nil, err
	}

	merged := map[[2]string]ports.Allowance{}
	for _, r := range rows {
		key := [2]string{r.ClientID, r.TenantID}
		m, known := merged[key]
		if !known {
			m = ports.Allowance{
				ClientID:    r.ClientID,
				Application: r.Name,
				TenantID:    r.TenantID,
				Since:       r.Since.Time,
			}
		}

		scope, _ := oauth.ParseScopes(r.Scope) // was parsed when it was written
		m.Scope = m.Scope.Union(scope)
		m.Offline = m.Offline || r.Offline

		if r.Since.Before(m.Since) {
			m.Since = r.Since.Time
		}

		merged[key] = m
	}

	list := make([]ports.Allowance, 0, len(merged))
	for _, m := range merged {
		list = append(list, m)
	}

	slices.SortFunc(list, func(a, b ports.Allowance) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Application), strings.ToLower(b.Application)),
			strings.Compare(a.ClientID, b.ClientID), strings.Compare(a.TenantID, b.TenantID))
	})
	return list, nil
}

// Withdraw removes the consents of an application in a tenant and ends its access there.
func (s *Store) Withdraw(ctx context.Context, userID, clientID, tenantID string, at time.Time) (int, error) {
	const withdraw = `DELETE FROM consents WHERE user_id = $1 AND client_id = $2 AND tenant_id = $3 AND updated_at <= $4`
	var changed int
	err := s.db.TxAgain(ctx, "allowances.withdraw", func(tx *database.Tx) error {
		consents, err := tx.Exec(ctx, "consent.withdraw", withdraw, userID, clientID, tenantID, database.At(at))
		if err != nil {
			return err
		}

		ended, err := ending.WithdrawTx(ctx, tx,
			ending.Withdrawal{UserID: userID, TenantID: tenantID, ClientID: clientID}, at)
		changed = int(consents) + ended.Pending + ended.Grants
		return err
	})

	return changed, err
}

// EndElsewhere ends all access of a person except one session.
func (s *Store) EndElsewhere(ctx context.Context, userID, exceptSession string, at time.Time) error {
	return s.db.TxAgain(ctx, "access.end_elsewhere", func(tx *database.Tx) error {
		_, err := ending.EndTx(ctx, tx, ending.Access{UserID: userID, ExceptSession: exceptSession}, at)
		return err
	})
}
