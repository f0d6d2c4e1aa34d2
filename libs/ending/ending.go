package ending

import (
	"context"
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// Access says whose access to end: UserID alone, UserID in TenantID, TenantID alone, or
// ClientID alone.
type Access struct {
	UserID   string
	TenantID string
	ClientID string
	// ExceptSession is a session of UserID that goes on, with its codes and its online grants.
	// If it is empty, all sessions end.
	ExceptSession string
}

// Ended counts the rows that were marked as ended.
type Ended struct {
	Sessions int
	Grants   int
	Pending  int // codes and requests that can become no grant any more
	Notices  int // back-channel logouts queued
}

func (e *Ended) add(more Ended) {
	e.Sessions += more.Sessions
	e.Grants += more.Grants
	e.Pending += more.Pending
	e.Notices += more.Notices
}

var (
	errScope = errors.New("ending: an access is a person's, a person's in a tenant, a tenant's or an application's")
	errWide  = errors.New("ending: the access of a tenant or an application ends in batches, not in one transaction")
)

func (a Access) check() error {
	switch {
	case a.ClientID != "" && (a.UserID != "" || a.TenantID != ""):
		return errScope
	case a.ClientID == "" && a.UserID == "" && a.TenantID == "":
		return errScope
	case a.ExceptSession != "" && (a.UserID == "" || a.TenantID != ""):
		return errors.New("ending: only of a person's whole access can a session be left out")
	}
	return nil
}

// EndTx ends the access of a person, or of a person in a tenant, within tx. It also marks the
// rows that an earlier end of access, such as a disabling in the same transaction, left
// unmarked.
func EndTx(ctx context.Context, tx *database.Tx, a Access, at time.Time) (Ended, error) {
	if a.UserID == "" {
		return Ended{}, errWide
	}
	if err := Mark(ctx, tx, a); err != nil {
		return Ended{}, err
	}
	return FinishTx(ctx, tx, a, at)
}

// FinishTx marks the rows of a person's access that has ended, as [EndTx] does, but doesn't end
// any access itself. It is for a transaction that disabled the person or removed a membership.
func FinishTx(ctx context.Context, tx *database.Tx, a Access, at time.Time) (Ended, error) {
	if a.UserID == "" {
		return Ended{}, errWide
	}
	return all(ctx, tx, scope{UserID: a.UserID, TenantID: a.TenantID}, at)
}

const (
	count = `
INSERT INTO access_ends (user_id, tenant_id, client_id, ends) VALUES ($1, $2, $3, 1)
ON CONFLICT (user_id, tenant_id, client_id) DO UPDATE SET ends = access_ends.ends + 1`

	// Rows that equalled the count before equal it afterwards, and no others do.
	keepSession = `UPDATE sessions SET ends = ends + 1, person_ends = person_ends + 1 WHERE id = $1 AND user_id = $2`
	keepCodes   = `UPDATE authorization_codes SET ends = ends + 1 WHERE session_id = $1 AND user_id = $2 AND consumed_at IS NULL AND NOT offline`
	keepGrants  = `UPDATE grants SET ends = ends + 1 WHERE session_id = $1 AND user_id = $2 AND NOT offline`
)

// Mark ends access when tx commits, writing no row but the count. [Finish] marks the rows: the
// caller calls it after the commit, or else the session service does within about a minute.
func Mark(ctx context.Context, tx *database.Tx, a Access) error {
	if err := a.check(); err != nil {
		return err
	}

	if _, err := tx.Exec(ctx, "access_ends.count", count, a.UserID, a.TenantID, a.ClientID); err != nil {
		return err
	}

	if a.ExceptSession == "" {
		return nil
	}

	// A code that is being redeemed locks its row until its grant exists.
	for _, keep := range []struct{ name, statement string }{
		{"sessions.keep", keepSession},
		{"authorization_codes.keep", keepCodes},
		{"grants.keep", keepGrants},
	} {
		if _, err := tx.Exec(ctx, keep.name, keep.statement, a.ExceptSession, a.UserID); err != nil {
			return err
		}
	}

	return nil
}
