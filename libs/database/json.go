package database

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
)

// JSON is a JSON column: jsonb on PostgreSQL, text on SQLite. A nil slice is written as [], a
// nil map as {}, a nil pointer and a nil [json.RawMessage] as NULL. NULL is read as the zero
// value.
type JSON[T any] struct{ V T }

// Value implements [driver.Valuer]. It returns a string: with binary parameters, jsonb would
// take bytes for its own binary format and refuse them.
func (j JSON[T]) Value() (driver.Value, error) {
	if raw, ok := any(j.V).(json.RawMessage); ok && raw == nil {
		return nil, nil
	}

	v := reflect.ValueOf(&j.V).Elem()
	switch v.Kind() {
	case reflect.Slice:
		if v.IsNil() {
			return "[]", nil
		}
	case reflect.Map:
		if v.IsNil() {
			return "{}", nil
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil, nil
		}
	}

	b, err := json.Marshal(j.V)
	if err != nil {
		return nil, fmt.Errorf("database: write JSON: %w", err)
	}

	return string(b), nil
}

// Scan implements [sql.Scanner].
func (j *JSON[T]) Scan(src any) error {
	var text []byte
	switch v := src.(type) {
	case nil:
		*j = JSON[T]{}
		return nil
	case []byte:
		text = v
	case string:
		text = []byte(v)
	default:
		return fmt.Errorf("database: a JSON column holds %T", src)
	}

	var fresh JSON[T] // json.Unmarshal would merge into the old value
	if err := json.Unmarshal(text, &fresh.V); err != nil {
		return fmt.Errorf("database: read JSON: %w", err)
	}

	*j = fresh
	return nil
}
