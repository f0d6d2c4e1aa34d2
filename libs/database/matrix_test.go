package database_test

// rights are what a role may do with a table: verbs on all of it, and the
// columns it may update, insert or read where that is not all of them.
type rights struct {
	verbs  string   // of S(elect), I(nsert), U(pdate), D(elete), in this order
	update []string // columns
	insert []string // columns
	read   []string // columns
}

var (
	read = rights{verbs: "S"}
	own  = rights{verbs: "SIUD"}
	// add is what every role may do with the audit trail.
	add = rights{verbs: "I"}
	// counts is for ending access.
	counts = rights{verbs: "SI", update: []string{"ends", "finished"}}
	// used is an assertion's row; the column is for locking it.
	used = rights{verbs: "SID", update: []string{"expires_at"}}
)

// requestColumns are what an application asks for, and not how a person answers.
var requestColumns = []string{
	"acr_values", "browser_hash", "client_id", "code_challenge", "created_at", "expires_at", "hint_subject", "id", "kind",
	"login_hint", "max_age", "nonce", "prompt", "redirect_uri", "resource", "response_mode", "scope", "state",
	"trace_parent", "ui_locales", "user_code",
}

// matrix is the table "Who owns which table" as the database shall see it. What
// is not named is refused.
var matrix = map[string]map[string]rights{
	"platform_authorize": {
		"access_ends":      read,
		"goose_db_version": read,
		"applications":     read,
		"signing_keys":     read,
		"change_versions":  read,
		"change_keys":      read,
		"tenants":          read,
		"users":            read,
		"memberships":      read,
		"limits":           own,
		"audit_events":     add,
		"consents":         read,
		"sessions": {
			read:   []string{"ended_at", "id", "last_seen_at"},
			update: []string{"last_seen_at"},
		},
		"authorization_requests": {verbs: "SD", update: []string{"consumed_at"}, insert: requestColumns},
		"authorization_codes":    {verbs: "SID", update: []string{"consumed_at"}},
	},
	"platform_token": {
		"access_ends":      read,
		"goose_db_version": read,
		"applications":     read,
		"signing_keys":     read,
		"change_versions":  read,
		"change_keys":      read,
		"tenants":          read,
		"users":            read,
		"memberships":      read,
		"sessions": {read: []string{
			"acr", "amr", "auth_time", "ended_at", "expires_at", "id", "tenant_id", "user_id",
		}},
		"consents":            read,
		"application_secrets": read,
		"authorization_codes": {verbs: "S", update: []string{"consumed_at"}},
		"device_codes":        {verbs: "S", update: []string{"consumed_at", "interval_seconds", "last_polled_at"}},
		"grants":              own,
		"refresh_tokens":      own,
		"revoked_tokens":      own,
		"used_assertions":     used,
		"limits":              own,
		"audit_events":        add,
	},
	"platform_device": {
		"access_ends":            read,
		"goose_db_version":       read,
		"applications":           read,
		"signing_keys":           read,
		"change_versions":        read,
		"change_keys":            read,
		"tenants":                read,
		"users":                  read,
		"memberships":            read,
		"consents":               read,
		"application_secrets":    read,
		"used_assertions":        used,
		"limits":                 own,
		"audit_events":           add,
		"authorization_requests": {verbs: "S", update: []string{"consumed_at"}, insert: requestColumns},
		"device_codes": {
			verbs: "SD",
			update: []string{
				"acr", "amr", "auth_time", "decided_at", "decision", "grant_id",
				"session_id", "session_proof", "tenant_id", "user_id",
			},
			insert: []string{
				"address", "client_id", "created_at", "device_code_hash", "expires_at", "interval_seconds", "network",
				"resource", "scope", "trace_parent", "user_code",
			},
		},
	},
	"platform_session": {
		"access_ends":      counts,
		"goose_db_version": read,
		"applications":     read,
		"signing_keys":     read,
		"change_versions":  read,
		"change_keys":      read,
		"tenants":          read,
		"tenant_domains":   read,
		"memberships":      read,
		"users":            read,
		"user_logins":      {verbs: "SI", update: []string{"last_login_at"}},
		"credentials":      {verbs: "S", update: []string{"password_hash", "updated_at"}},
		"sessions":         own,
		"consents":         own,
		"logout_outbox":    own,
		"limits":           own,
		"audit_events":     add,
		"authorization_requests": {
			verbs: "S",
			update: []string{
				"browser_hash", "decided_at", "decision", "expires_at", "login_email", "session_id", "tenant_id",
			},
			insert: []string{
				"acr_values", "browser_hash", "client_id", "code_challenge", "created_at", "expires_at",
				"hint_subject", "id", "kind",
				"login_email", "login_hint", "max_age", "nonce", "prompt", "redirect_uri", "resource",
				"response_mode", "scope", "state",
				"tenant_id", "trace_parent", "ui_locales", "user_code",
			},
		},
		"grants": {verbs: "S", update: []string{"ends", "revoked_at"}},
		"authorization_codes": {
			read: []string{
				"client_id", "consumed_at", "created_at", "ends", "expires_at", "offline",
				"session_id", "tenant_id", "user_id",
			},
			update: []string{"ends", "expires_at"},
		},
		"device_codes": {
			read: []string{
				"client_id", "consumed_at", "created_at", "decision", "ends", "expires_at", "tenant_id", "user_id",
			}, update: []string{"expires_at"},
		},
	},
	"platform_keys": {
		"goose_db_version": read,
		"applications":     read,
		"change_versions":  read,
		"change_keys":      read,
		"audit_events":     {verbs: "I", read: []string{"at", "chain", "hash", "seq", "service"}},
		"audit_seals":      {verbs: "SI"},
		"signing_keys":     {verbs: "SID", update: []string{"active_from", "retire_at", "revoked_at"}},
		"key_orders":       {verbs: "SD"},
	},
	"platform_operator": {
		"access_ends":         counts,
		"goose_db_version":    read,
		"change_versions":     read,
		"change_keys":         read,
		"signing_keys":        {verbs: "S", update: []string{"revoked_at"}},
		"key_orders":          {verbs: "SI", update: []string{"immediate"}},
		"tenants":             own,
		"tenant_domains":      own,
		"users":               own,
		"memberships":         own,
		"credentials":         own,
		"applications":        own,
		"application_secrets": own,
		"directory_marks":     own,
		"user_logins":         read,
		"sessions": {update: []string{"ended_at"}, read: []string{
			"acr", "address", "amr", "auth_time", "created_at", "ended_at", "ends", "expires_at", "id", "last_seen_at",
			"person_ends", "tenant_id", "user_agent", "user_id",
		}},
		"grants": {verbs: "S", update: []string{"revoked_at"}},
		"authorization_codes": {
			read: []string{
				"client_id", "consumed_at", "created_at", "ends", "expires_at", "session_id", "tenant_id", "user_id",
			},
			update: []string{"expires_at"},
		},
		"device_codes": {
			read:   []string{"client_id", "consumed_at", "created_at", "ends", "expires_at", "tenant_id", "user_id"},
			update: []string{"expires_at"},
		},
		"authorization_requests": {
			read: []string{"client_id", "consumed_at", "created_at", "expires_at"}, update: []string{"expires_at"},
		},
		"consents":      read,
		"audit_events":  {verbs: "SI"},
		"audit_seals":   read,
		"logout_outbox": add,
		"limits":        {verbs: "D", read: []string{"key", "subject"}},
	},
}
