package database

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Right is a right of a role on a table.
type Right struct {
	Role, Table string
	Verb        string   // SELECT, INSERT, UPDATE, DELETE or TRUNCATE
	Columns     []string // sorted; nil: the whole table
}

func (r Right) String() string {
	if r.Columns == nil {
		return fmt.Sprintf("%s: %s on %s", r.Role, r.Verb, r.Table)
	}
	return fmt.Sprintf("%s: %s (%s) on %s", r.Role, r.Verb, strings.Join(r.Columns, ", "), r.Table)
}

var (
	comments  = regexp.MustCompile(`(?m)--.*$`)
	blocks    = regexp.MustCompile(`(?s)\$\$.*?\$\$`)
	grant     = regexp.MustCompile(`(?s)^GRANT\s+(.+?)\s+ON\s+(.+?)\s+TO\s+(.+)$`)
	verbs     = regexp.MustCompile(`(?s)([A-Z]+)(?:\s*\(([^)]*)\))?`)
	separator = regexp.MustCompile(`\s*,\s*`)
)

// Rights returns the rights that roles.sql grants, one for each role, table and verb.
func Rights() []Right { return granted(rolesSQL) }

// granted returns the rights that the GRANT statements of a text give.
func granted(statements string) []Right {
	var all []Right
	text := blocks.ReplaceAllString(comments.ReplaceAllString(statements, ""), "")
	for statement := range strings.SplitSeq(text, ";") {
		parts := grant.FindStringSubmatch(strings.TrimSpace(statement))
		if parts == nil {
			continue
		}

		for _, verb := range verbs.FindAllStringSubmatch(parts[1], -1) {
			var columns []string
			if verb[2] != "" {
				columns = separator.Split(strings.TrimSpace(verb[2]), -1)
				slices.Sort(columns)
			}

			for _, table := range separator.Split(parts[2], -1) {
				for _, role := range separator.Split(parts[3], -1) {
					all = append(all, Right{
						Role:    role,
						Table:   table,
						Verb:    verb[1],
						Columns: columns,
					})
				}
			}
		}
	}

	return merge(all)
}

// merge combines several rights to columns of a table into one.
func merge(rights []Right) []Right {
	type key struct{ role, table, verb string }
	merged := map[key]Right{}
	for _, r := range rights {
		k := key{r.Role, r.Table, r.Verb}
		if have, twice := merged[k]; twice && (have.Columns == nil || r.Columns == nil) {
			r.Columns = nil
		} else if twice {
			r.Columns = append(slices.Clone(have.Columns), r.Columns...)
			slices.Sort(r.Columns)
			r.Columns = slices.Compact(r.Columns)
		}

		merged[k] = r
	}

	all := make([]Right, 0, len(merged))
	for _, r := range merged {
		all = append(all, r)
	}

	slices.SortFunc(all, func(a, b Right) int {
		return cmp.Or(strings.Compare(a.Role, b.Role), strings.Compare(a.Table, b.Table),
			strings.Compare(a.Verb, b.Verb))
	})
	return all
}

// RoleNames returns the group roles: one per service and the operator's.
func RoleNames() []string {
	var names []string
	for _, r := range Rights() {
		names = append(names, r.Role) // sorted by role
	}
	return slices.Compact(names)
}

// RightsDiff says how the rights in a database differ from [Rights].
type RightsDiff struct {
	Absent  []string // group roles that don't exist; nothing else is reported about them
	Missing []Right
	Excess  []Right
}

// actualRights reads the catalogue, which any login may ask about every role. It includes the
// rights a role has through PUBLIC and other roles. DELETE and TRUNCATE apply to a table and
// are listed with all its columns.
const actualRights = `
SELECT r.rolname AS role, c.relname AS tab, v.verb AS verb,
       string_agg(a.attname, ',' ORDER BY a.attname)
           FILTER (WHERE CASE WHEN v.verb IN ('DELETE', 'TRUNCATE') THEN has_table_privilege(r.oid, c.oid, v.verb)
                              ELSE has_column_privilege(r.oid, c.oid, a.attnum, v.verb) END) AS granted,
       string_agg(a.attname, ',' ORDER BY a.attname) AS columns
  FROM pg_catalog.pg_roles r
 CROSS JOIN pg_catalog.pg_class c
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) v(verb)
 WHERE r.rolname = ANY (string_to_array($1, ',')) AND c.relname = ANY (string_to_array($2, ','))
   AND c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
 GROUP BY r.rolname, c.relname, v.verb`

// CompareRights returns how the group roles' rights differ from those that roles.sql grants. It
// works on PostgreSQL only, with any login.
func CompareRights(ctx context.Context, db *DB) (RightsDiff, error) {
	var diff RightsDiff
	if db.dialect != Postgres {
		return diff, fmt.Errorf("database: %s has no roles", db.dialect)
	}

	expected := map[[3]string]Right{}
	var tables []string
	for _, r := range Rights() {
		expected[[3]string{r.Role, r.Table, r.Verb}] = r
		tables = append(tables, r.Table)
	}

	var rows []rightsRow
	if err := db.Select(ctx, "database.rights", &rows, actualRights, strings.Join(RoleNames(), ","),
		strings.Join(tables, ",")); err != nil {
		return diff, err
	}

	seen := map[string]bool{}
	for _, row := range rows {
		seen[row.Role] = true
		want, known := expected[[3]string{row.Role, row.Table, row.Verb}]
		missing, excess := row.compare(want.Columns, known)
		if missing != nil {
			diff.Missing = append(diff.Missing, *missing)
		}
		if excess != nil {
			diff.Excess = append(diff.Excess, *excess)
		}
	}

	for _, role := range RoleNames() {
		if !seen[role] {
			diff.Absent = append(diff.Absent, role)
		}
	}

	diff.Missing, diff.Excess = merge(diff.Missing), merge(diff.Excess)
	return diff, nil
}

type rightsRow struct {
	Role    string  `db:"role"`
	Table   string  `db:"tab"`
	Verb    string  `db:"verb"`
	Granted *string `db:"granted"` // columns, comma separated; nil: none
	Columns string  `db:"columns"` // all columns of the table
}

// compare returns the wanted columns that are missing (if wanted is empty and known is true,
// all columns are wanted) and those granted in excess.
func (r rightsRow) compare(wanted []string, known bool) (missing, excess *Right) {
	all := strings.Split(r.Columns, ",")
	if known && wanted == nil {
		wanted = all
	}

	var granted []string
	if r.Granted != nil {
		granted = strings.Split(*r.Granted, ",")
	}
	return r.right(all, wanted, granted), r.right(all, granted, wanted)
}

// right returns the right to the columns that are in has but not in lacks, or nil if there are
// none.
func (r rightsRow) right(all, has, lacks []string) *Right {
	columns := slices.DeleteFunc(slices.Clone(has), func(c string) bool { return slices.Contains(lacks, c) })
	switch len(columns) {
	case 0:
		return nil
	case len(all):
		columns = nil
	}

	return &Right{
		Role:    r.Role,
		Table:   r.Table,
		Verb:    r.Verb,
		Columns: columns,
	}
}
