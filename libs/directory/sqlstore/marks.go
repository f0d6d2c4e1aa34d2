package sqlstore

import (
	"context"
	"strconv"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// Kind is what a mark is of.
type Kind string

// Kinds of things that have marks.
const (
	KindTenant      Kind = "tenant"
	KindUser        Kind = "user"
	KindApplication Kind = "application"
)

// Fields that have marks.
const (
	FieldPassword = "password" // value: the PHC string
	FieldSecret   = "client_secret"
	FieldEnabled  = "enabled"
)

// Who set what has a mark.
const (
	ByApply    = "apply"
	ByOperator = "operator" // by a command
)

// Mark is a value that apply or a command gave to a field. The directory may have
// another by now, which then was set in another way.
type Mark struct {
	ID    string `db:"id"` // of the tenant or user, or the client id
	Field string `db:"field"`
	By    string `db:"set_by"`
	Value string `db:"value"`
}

// Marks are the marks of some things of one kind.
type Marks map[[3]string]string

// Of returns what by set the field of id to; false when it never did.
func (m Marks) Of(id, field, by string) (value string, ok bool) {
	value, ok = m[[3]string{id, field, by}]
	return value, ok
}

// Marks reads the marks of some things of one kind, a few hundred at once.
func (r *Reader) Marks(ctx context.Context, kind Kind, ids []string) (Marks, error) {
	marks := Marks{}
	if len(ids) == 0 {
		return marks, nil
	}

	in, args := database.In(2, ids)
	query := `SELECT id, field, set_by, value FROM directory_marks WHERE kind = $1 AND id ` + in
	var rows []Mark
	if err := r.db.Select(ctx, "directory_marks.list", &rows, query,
		append([]any{string(kind)}, args...)...); err != nil {
		return nil, err
	}

	for _, row := range rows {
		marks[[3]string{row.ID, row.Field, row.By}] = row.Value
	}

	return marks, nil
}

// Mark notes what the field of something was set to, and by what.
func (w *Writer) Mark(ctx context.Context, kind Kind, m Mark, at time.Time) error {
	const query = `
INSERT INTO directory_marks (kind, id, field, set_by, value, set_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (kind, id, field, set_by) DO UPDATE SET value = excluded.value, set_at = excluded.set_at`
	return w.exec(ctx, "directory_marks.set", query, string(kind), m.ID, m.Field, m.By, m.Value, database.At(at))
}

// Disabled is the value of the mark of something that was disabled at a time.
func Disabled(at time.Time) string { return strconv.FormatInt(at.UnixMicro(), 10) }

// disabling are the statements that switch things of a kind off and on.
var disabling = map[Kind]struct{ table, key string }{
	KindTenant:      {"tenants", "id"},
	KindUser:        {"users", "id"},
	KindApplication: {"applications", "client_id"},
}

// DisabledAt returns when something was disabled; zero: it is enabled, or not there.
func (r *Reader) DisabledAt(ctx context.Context, kind Kind, id string) (time.Time, error) {
	of := disabling[kind]
	var rows []database.Time
	query := `SELECT disabled_at FROM ` + of.table + ` WHERE ` + of.key + ` = $1 AND disabled_at IS NOT NULL`
	if err := r.db.Select(ctx, of.table+".disabled_at", &rows, query, id); err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return rows[0].Time, nil
}

// Disable switches something off; false when it was off. Nothing is deleted: rows
// that others refer to stay, and what was said about it can still be read.
func (w *Writer) Disable(ctx context.Context, kind Kind, id string, at time.Time) (bool, error) {
	of := disabling[kind]
	query := `UPDATE ` + of.table + ` SET disabled_at = $2, updated_at = $2 WHERE ` + of.key +
		` = $1 AND disabled_at IS NULL`
	n, err := w.tx.Exec(ctx, of.table+".disable", query, id, database.At(at))
	return n > 0, err
}

// Enable switches something on again. It revives nothing that ended when it was
// disabled.
func (w *Writer) Enable(ctx context.Context, kind Kind, id string, at time.Time) error {
	of := disabling[kind]
	query := `UPDATE ` + of.table + ` SET disabled_at = NULL, updated_at = $2 WHERE ` + of.key + ` = $1`
	return w.exec(ctx, of.table+".enable", query, id, database.At(at))
}

// ReplacePassword sets a person's password if the stored hash is old (empty: none);
// false when it has changed meanwhile.
func (w *Writer) ReplacePassword(ctx context.Context, userID, old, hash string, at time.Time) (bool, error) {
	query := `UPDATE credentials SET password_hash = $3, updated_at = $4 WHERE user_id = $1 AND password_hash = $2`
	if old == "" {
		query = `INSERT INTO credentials (user_id, password_hash, updated_at) SELECT $1, $3, $4 WHERE $2 = '' ON CONFLICT (user_id) DO NOTHING`
	}
	n, err := w.tx.Exec(ctx, "credentials.replace", query, userID, old, hash, database.At(at))
	return n > 0, err
}
