package sqlstore

import (
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// AccessEnds returns the SQL for how often access has been ended: of a person, of that person
// in a tenant, of the tenant and of an application. The arguments are SQL expressions for their
// ids; an empty argument leaves its part out. Every row that gives access carries this number
// in its column ends, and gives access while the two are equal. The four parts only ever grow,
// so equal sums mean equal parts.
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
		// Without a tenant chosen yet, the first part has counted already.
		parts = append(parts, `CASE WHEN `+tenant+` = '' THEN 0 ELSE `+count(user, tenant, `''`)+` END`)
	}

	if client != "" {
		parts = append(parts, count(`''`, `''`, client))
	}

	return `(` + strings.Join(parts, ` + `) + `)`
}

// Stands is directory.Entry.Stands in SQL, for statements that redeem a credential issued to a
// person. alias is the table of the row being redeemed, with the columns user_id, tenant_id,
// client_id, amr and ends. It also requires that access has not ended since the row was made
// (see AccessEnds).
func Stands(alias string) string {
	column := func(name string) string { return alias + "." + name }
	return `EXISTS (
    SELECT 1 FROM users u JOIN memberships m ON m.user_id = u.id JOIN tenants t ON t.id = m.tenant_id
    JOIN applications a ON a.client_id = ` + column("client_id") + `
    WHERE u.id = ` + column("user_id") + ` AND t.id = ` + column("tenant_id") + `
      AND u.disabled_at IS NULL AND t.disabled_at IS NULL AND a.disabled_at IS NULL
      AND NOT (t.sso_only AND (CAST(` + column("amr") + ` AS text) LIKE '%"` + oauth.AMRPassword + `"%' OR CAST(` +
		column("amr") + ` AS text) = '[]')))
  AND ` + column("ends") + ` = ` + AccessEnds(column("user_id"), column("tenant_id"), column("client_id"))
}
