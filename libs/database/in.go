package database

import (
	"strconv"
	"strings"
)

// In returns the condition that a column is one of values, as "IN ($3, $4)" with placeholders
// numbered from first, and its arguments. values must not be empty.
func In(first int, values []string) (condition string, args []any) {
	marks := make([]string, len(values))
	args = make([]any, len(values))
	for i, value := range values {
		marks[i], args[i] = "$"+strconv.Itoa(first+i), value
	}
	return "IN (" + strings.Join(marks, ", ") + ")", args
}
