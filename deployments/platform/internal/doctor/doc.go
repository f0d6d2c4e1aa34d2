// Package doctor looks at a platform from outside and at what it stands on, and
// says what is wrong and what to do about it: the database and the rights in it,
// Vault and the policy there, the clocks, the public URL and the way of each path
// to its service. It changes nothing; what it leaves is a few rows in the audit
// trail, of error pages that it asked for.
package doctor
