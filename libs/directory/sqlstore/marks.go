package sqlstore

import (
	"context"
	"strconv"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

// Kind is the kind of thing that a mark belongs to.
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

// By which values with marks are set.
const (
	ByApply    = "apply"
	ByOperator = "operator" // by a command
)

// Mark records the value that apply or a command gave to a field. If the directory has another
// value by now, it was set in another way.
type Mark struct {
	ID    string `db:"id"` // of the tenant or user, or the client id
	Field string `db:"field"`
	By    string `db:"set_by"`
	Value string `db:"value"`
}

// Marks holds the marks of some things of one kind.
type Marks map[[3]string]string

// Of returns the value that by last set the field of id to. It returns false if by never set
// it.
func (m Marks) Of(id, field, by string) (value string, ok bool) {
	value, ok = m[[3]string{id, field, by}]
	return value, ok
}

// Marks reads the marks of some things of one kind. It takes a few hundred ids at once.
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

// Mark records what the field of something was set to, and by what.
func (w *Writer) Mark(ctx context.Context, kind Kind, m Mark, at time.Time) error {
	const query = `
INSERT INTO directory_marks (kind, id, field, set_by, value, set_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (kind, id, field, set_by) DO UPDATE SET value = excluded.value, set_at = excluded.set_at`
	return w.exec(ctx, "directory_marks.set", query, string(kind), m.ID, m.Field, m.By, m.Value, database.At(at))
}

// Disabled returns the value of the mark of something that was disabled at a time.
func Disabled(at time.Time) string { return strconv.FormatInt(at.UnixMicro(), 10) }

// disabling holds, for each kind, the table and key of the statements that disable and enable
// things of it.
var disabling = map[Kind]struct{ table, key string }{
	KindTenant:      {"tenants", "id"},
	KindUser:        {"users", "id"},
	KindApplication: {"applications", "client_id"},
}

// DisabledAt returns when something was disabled, or the zero time if it is enabled or does not
// exist.
func (r *Reader) DisabledAt(ctx context.Context, kind Kind, id string) (time.Time, error) {
	of := disabling[kind]
	var rows []database.Time
	query := `SELECT disabled_at FROM ` + of.table + ` WHERE ` + of.key + ` = $1 AND disabled_at IS NOT NULL`
	if err := r.db.Select(ctx, of.table+".disabled_at", &rows, query, id); err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return rows[0].Time, nil
}

// Disable disables something. It returns false if it was disabled already. Nothing is deleted:
// rows that others refer to stay, and what was recorded about it can still be read.
func (w *Writer) Disable(ctx context.Context, kind Kind, id string, at time.Time) (bool, error) {
	of := disabling[kind]
	query := `UPDATE ` + of.table + ` SET disabled_at = $2, updated_at = $2 WHERE ` + of.key +
		` = $1 AND disabled_at IS NULL`
	n, err := w.tx.Exec(ctx, of.table+".disable", query, id, database.At(at))
	return n > 0, err
}

// Enable enables something again. It revives nothing that ended when it was disabled.
func (w *Writer) Enable(ctx context.Context, kind Kind, id string, at time.Time) error {
	of := disabling[kind]
	query := `UPDATE ` + of.table + ` SET disabled_at = NULL, updated_at = $2 WHERE ` + of.key + ` = $1`
	return w.exec(ctx, of.table+".enable", query, id, database.At(at))
}

// ReplacePassword sets a person's password if the stored hash is old (empty: none). It returns
// false if the hash has changed meanwhile.
func (w *Writer) ReplacePassword(ctx context.Context, userID, old, hash string, at time.Time) (bool, error) {
	query := `UPDATE credentials SET password_hash = $3, updated_at = $4 WHERE user_id = $1 AND password_hash = $2`
	if old == "" {
		query = `INSERT INTO credentials (user_id, password_hash, updated_at) SELECT $1, $3, $4 WHERE $2 = '' ON CONFLICT (user_id) DO NOTHING`
	}
	n, err := w.tx.Exec(ctx, "credentials.replace", query, userID, old, hash, database.At(at))
	return n > 0, err
}
