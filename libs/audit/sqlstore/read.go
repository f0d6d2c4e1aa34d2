package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/database"
)

const (
	// defaultLimit is how many rows Read returns if the filter doesn't say.
	defaultLimit = 100
	// pageSize is how many rows Walk reads at a time.
	pageSize = 1000
)

type row struct {
	ID        string                           `db:"id"`
	At        database.Time                    `db:"at"`
	Kind      string                           `db:"kind"`
	Service   string                           `db:"service"`
	UserID    string                           `db:"user_id"`
	Account   string                           `db:"account"`
	ClientID  string                           `db:"client_id"`
	TenantID  string                           `db:"tenant_id"`
	SessionID string                           `db:"session_id"`
	GrantID   string                           `db:"grant_id"`
	Address   string                           `db:"address"`
	Reference string                           `db:"reference"`
	Detail    database.JSON[map[string]string] `db:"detail"`
	Chain     string                           `db:"chain"`
	Seq       int64                            `db:"seq"`
	PrevHash  []byte                           `db:"prev_hash"`
	Hash      []byte                           `db:"hash"`
}

func (r *row) record() audit.Record {
	return audit.Record{
		ID:      r.ID,
		At:      r.At.Time,
		Service: r.Service,
		Event: audit.Event{
			Kind:      audit.Kind(r.Kind),
			UserID:    r.UserID,
			Account:   r.Account,
			ClientID:  r.ClientID,
			TenantID:  r.TenantID,
			SessionID: r.SessionID,
			GrantID:   r.GrantID,
			Address:   r.Address,
			Reference: r.Reference,
			Detail:    r.Detail.V,
		},
		Link: audit.Link{
			Chain:    r.Chain,
			Seq:      r.Seq,
			PrevHash: r.PrevHash,
			Hash:     r.Hash,
		},
	}
}

// Read returns rows in order of time: the first ones after AfterID if that is set, or else the
// newest.
func Read(ctx context.Context, db database.Runner, f audit.Filter) ([]audit.Record, error) {
	query, args := statement(f)
	var rows []row
	if err := db.Select(ctx, "audit.read", &rows, query, args...); err != nil {
		return nil, err
	}

	if f.AfterID == "" {
		slices.Reverse(rows)
	}

	records := make([]audit.Record, len(rows))
	for i := range rows {
		records[i] = rows[i].record()
	}

	return records, nil
}

// Walk calls each for every row that f selects, in order of time and after f.AfterID, reading
// one page at a time. f.Limit is ignored. If each returns an error, Walk stops and returns it.
func Walk(ctx context.Context, db database.Runner, f audit.Filter, each func(audit.Record) error) error {
	f.Limit = pageSize

	if f.AfterID == "" {
		f.AfterID = "-" // sorts before every id
	}

	for {
		page, err := Read(ctx, db, f)
		if err != nil {
			return err
		}

		for _, r := range page {
			if err := each(r); err != nil {
				return err
			}
		}

		if len(page) < pageSize {
			return nil
		}

		f.AfterID = page[len(page)-1].ID
	}
}

func statement(f audit.Filter) (query string, args []any) {
	var where []string
	arg := func(value any) string {
		args = append(args, value)
		return fmt.Sprintf("$%d", len(args))
	}
	if people := people(f, arg); people != "" {
		where = append(where, people)
	}

	if f.Client != "" {
		where = append(where, "client_id = "+arg(f.Client))
	}

	if f.Reference != "" {
		where = append(where, "reference = "+arg(f.Reference))
	}

	if !f.Since.IsZero() {
		where = append(where, "at >= "+arg(database.At(f.Since)))
	}

	if !f.Until.IsZero() {
		where = append(where, "at < "+arg(database.At(f.Until)))
	}

	order := "DESC"
	if f.AfterID != "" {
		where = append(where, "id > "+arg(f.AfterID))
		order = "ASC"
	}

	query = `SELECT ` + columns + ` FROM audit_events`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}

	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}

	return query + " ORDER BY id " + order + " LIMIT " + arg(limit), args
}

// people selects rows about a person: by id, and by the pseudonyms of their address.
func people(f audit.Filter, arg func(any) string) string {
	var either []string
	if f.User != "" {
		either = append(either, "user_id = "+arg(f.User))
	}

	for _, account := range f.Accounts {
		// The index has no empty accounts, and the planner needs the condition to use it.
		either = append(either, "(account <> '' AND account = "+arg(account)+")")
	}

	if len(either) == 0 {
		return ""
	}

	return "(" + strings.Join(either, " OR ") + ")"
}
