package sqlstore

import "strings"

// AccessEnds is the SQL of how often the access was ended of which the arguments
// are columns: of a person, of that person in a tenant, of the tenant and of an
// application. An empty argument leaves its part out. What gives access carries the
// number in its column ends; it gives access while the two are equal. The four parts
// only ever grow, so that equal sums are equal parts.
func AccessEnds(user, tenant, client string) string {
	count := func(user, tenant, client string) string {
		return `COALESCE((SELECT e.ends FROM access_ends e WHERE e.user_id = ` + user + ` AND e.tenant_id = ` + tenant +
			` AND e.client_id = ` + client + `), 0)`
	}
	var parts []string
	if user != "" {
		parts = append(parts, count(user, `''`, `''`))
	}
	if tenant != "" {
		parts = append(parts, count(`''`, tenant, `''`))
	}
	if user != "" && tenant != "" {
		// No tenant is chosen yet: the first part has counted already.
		parts = append(parts, `CASE WHEN `+tenant+` = '' THEN 0 ELSE `+count(user, tenant, `''`)+` END`)
	}
	if client != "" {
		parts = append(parts, count(`''`, `''`, client))
	}
	return `(` + strings.Join(parts, ` + `) + `)`
}
