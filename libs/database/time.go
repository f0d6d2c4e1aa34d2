package database

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// Time is a time column: UTC, in microseconds, and NULL for the zero time. PostgreSQL stores it
// as timestamptz, SQLite as an INTEGER of microseconds since 1970, so that times compare as
// times; SQLite would compare text.
type Time struct{ time.Time }

// At returns t as a column value.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{t.UTC().Truncate(time.Microsecond)}
}

// Value implements [driver.Valuer]. The SQLite driver converts the value to an integer.
func (t Time) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

// Scan implements [sql.Scanner].
func (t *Time) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t = Time{}
	case time.Time:
		*t = At(v)
	case int64:
		*t = At(time.UnixMicro(v))
	default:
		return fmt.Errorf("database: a time column holds %T", src)
	}

	return nil
}
