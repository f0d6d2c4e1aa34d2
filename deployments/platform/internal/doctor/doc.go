// Package doctor examines a platform and its dependencies, and reports what is wrong and
// how to fix it. It checks the database and the rights in it, Vault and its policy, the
// clocks, the public URL, and that each path reaches its service. It changes nothing, but
// the error pages that it requests leave a few rows in the audit trail.
package doctor
