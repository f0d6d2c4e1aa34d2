package config

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database/pqguard"
	"github.com/platform-oauth/platform-oauth/libs/outbound"
)

// relation is a rule on several variables; the rules are checked in order. A violation is
// reported on the first of its variables, unless one of them has a problem of its own.
type relation struct {
	variables []string
	broken    bool
	message   string
}

// given reports whether the operator set a variable; otherwise it has its default.
type given func(variable string) bool

// below returns value, a default that must be less than limit, or half of limit if it isn't.
func below(value, limit time.Duration) time.Duration {
	if value < limit || limit <= 0 {
		return value
	}
	return limit / 2
}

// fill adapts defaults to related values that the operator set. A timeout that the operator
// lengthened lengthens the one that contains it.
func (s *Server) fill(given given) {
	h := &s.HTTP
	switch {
	case h.HeaderTimeout <= h.ReadTimeout:
	case !given("PLATFORM_HTTP_HEADER_TIMEOUT"):
		h.HeaderTimeout = h.ReadTimeout
	case !given("PLATFORM_HTTP_READ_TIMEOUT"):
		h.ReadTimeout = h.HeaderTimeout
	}

	switch {
	case h.RequestDeadline < h.WriteTimeout:
	case !given("PLATFORM_HTTP_REQUEST_DEADLINE"):
		h.RequestDeadline = below(h.RequestDeadline, h.WriteTimeout)
	case !given("PLATFORM_HTTP_WRITE_TIMEOUT"):
		h.WriteTimeout = 2 * h.RequestDeadline
	}
}

func (s *Server) relations() []relation {
	_, port, _ := net.SplitHostPort(s.Listen)
	return []relation{
		{
			[]string{"PLATFORM_ADMIN_LISTEN", "PLATFORM_LISTEN"},
			s.Listen == s.AdminListen && port != "0",
			"must differ from PLATFORM_LISTEN, because the admin listener must not be public",
		},
		{
			[]string{"PLATFORM_HTTP_HEADER_TIMEOUT", "PLATFORM_HTTP_READ_TIMEOUT"},
			s.HTTP.HeaderTimeout > s.HTTP.ReadTimeout,
			"must not exceed PLATFORM_HTTP_READ_TIMEOUT, which includes it",
		},
		{
			[]string{"PLATFORM_HTTP_REQUEST_DEADLINE", "PLATFORM_HTTP_WRITE_TIMEOUT"},
			s.HTTP.RequestDeadline >= s.HTTP.WriteTimeout,
			"must be less than PLATFORM_HTTP_WRITE_TIMEOUT, or late answers are lost",
		},
	}
}

// fill sets the direct URL to the database URL if it isn't set.
func (d *Database) fill(given given) {
	if d.DirectURL == "" {
		d.DirectURL = d.URL
	}
	if d.MaxIdle > d.MaxOpen && !given("PLATFORM_DATABASE_MAX_IDLE") {
		d.MaxIdle = d.MaxOpen
	}
	if !given("PLATFORM_DATABASE_LOCK_TIMEOUT") {
		d.LockTimeout = below(d.LockTimeout, d.StatementTimeout)
	}
}

func (d *Database) relations() []relation {
	return []relation{{
		[]string{"PLATFORM_DATABASE_MAX_IDLE", "PLATFORM_DATABASE_MAX_OPEN"},
		d.MaxIdle > d.MaxOpen,
		"must not exceed PLATFORM_DATABASE_MAX_OPEN",
	}, {
		[]string{"PLATFORM_DATABASE_LOCK_TIMEOUT", "PLATFORM_DATABASE_STATEMENT_TIMEOUT"},
		d.LockTimeout >= d.StatementTimeout && d.StatementTimeout > 0,
		"must be less than PLATFORM_DATABASE_STATEMENT_TIMEOUT, or the statement timeout always ends the wait first",
	}}
}

// checkDatabaseURL never repeats the URL, which contains a password.
func checkDatabaseURL(raw string) string {
	const remedy = "write postgres://user:password@host:5432/database"

	if strings.HasPrefix(raw, "sqlite:") {
		return ""
	}

	if !strings.HasPrefix(raw, "postgres://") && !strings.HasPrefix(raw, "postgresql://") {
		return "the value doesn't begin with postgres://; " + remedy
	}

	u, err := pqguard.ParseURL(raw)
	switch {
	case err != nil:
		return "the value isn't a URL (are special characters of the password percent-encoded?); " + remedy
	case strings.Trim(u.Path, "/") == "" && !u.Query().Has("dbname"):
		return "the value has no database name; " + remedy
	}

	return ""
}

// SQLite reports whether the database is a SQLite file (`platform up` only).
func (d Database) SQLite() bool { return strings.HasPrefix(d.URL, "sqlite:") }

// SQLitePath returns the file of a sqlite URL, or platform.db in the data folder if the URL
// names none.
func (d Database) SQLitePath(dataDir string) string {
	path := strings.TrimPrefix(strings.TrimPrefix(d.URL, "sqlite:"), "//")
	if path == "" {
		return filepath.Join(dataDir, "platform.db")
	}
	return path
}

// fill makes keys published ahead for no longer than a shorter rotation allows.
func (s *Signing) fill(given given) {
	if !given("PLATFORM_KEY_PUBLISH_AHEAD") {
		s.KeyPublishAhead = below(s.KeyPublishAhead, s.KeyRotation)
	}
}

func (s *Signing) relations() []relation {
	list := []relation{
		{
			[]string{"PLATFORM_KEY_PUBLISH_AHEAD", "PLATFORM_KEY_ROTATION"},
			s.KeyPublishAhead >= s.KeyRotation,
			"must be less than PLATFORM_KEY_ROTATION, or the next key is published before its predecessor signs",
		},
	}
	if s.Backend == SigningVault {
		list = append(list, s.Vault.relations()...)
	}

	return list
}

// fillAcross fills in defaults that depend on another section.
func fillAcross(cfg any, given given) {
	server, serves := Section[Server](cfg)
	signing, signs := sectionAt[Signing](cfg)
	if serves && signs && !given("PLATFORM_VAULT_TIMEOUT") {
		signing.Vault.Timeout = below(signing.Vault.Timeout, server.HTTP.RequestDeadline)
	}
}

// across returns the rules between sections of a configuration.
func across(cfg any) []relation {
	server, serves := Section[Server](cfg)
	signing, signs := Section[Signing](cfg)
	if !serves || !signs || signing.Backend != SigningVault {
		return nil
	}

	return []relation{{
		[]string{"PLATFORM_VAULT_TIMEOUT", "PLATFORM_HTTP_REQUEST_DEADLINE"},
		signing.Vault.Timeout >= server.HTTP.RequestDeadline,
		"must be less than PLATFORM_HTTP_REQUEST_DEADLINE, or requests reach the deadline instead of failing early when Vault hangs",
	}}
}

func (o *Outbound) relations() []relation {
	_, err := outbound.ParseAllow(o.Allow)
	if err == nil {
		return nil
	}
	return []relation{{[]string{"PLATFORM_OUTBOUND_ALLOW"}, true, strings.ReplaceAll(err.Error(), "\n", "; ")}}
}

// fill makes the idle time no longer than a shorter lifetime. A longer idle time doesn't
// lengthen the lifetime, which is for the operator to decide.
func (s *Sessions) fill(given given) {
	if !given("PLATFORM_SESSION_IDLE") {
		s.Idle = min(s.Idle, s.Lifetime)
	}
}

func (s *Sessions) relations() []relation {
	return []relation{{
		[]string{"PLATFORM_SESSION_IDLE", "PLATFORM_SESSION_LIFETIME"},
		s.Idle > s.Lifetime,
		"exceeds PLATFORM_SESSION_LIFETIME, so it would have no effect",
	}}
}

// fill is Sessions.fill for refresh tokens.
func (t *Tokens) fill(given given) {
	if !given("PLATFORM_REFRESH_IDLE_TTL") {
		t.RefreshIdleTTL = min(t.RefreshIdleTTL, t.RefreshTokenTTL)
	}
}

func (t *Tokens) relations() []relation {
	return []relation{{
		[]string{"PLATFORM_REFRESH_IDLE_TTL", "PLATFORM_REFRESH_TOKEN_TTL"},
		t.RefreshIdleTTL > t.RefreshTokenTTL,
		"exceeds PLATFORM_REFRESH_TOKEN_TTL, so it would have no effect",
	}}
}

// leastRetention is the age that every row of the audit trail reaches before it is removed.
const leastRetention = 720 * time.Hour

func (a *Audit) relations() []relation {
	return []relation{{
		[]string{"PLATFORM_AUDIT_RETENTION"},
		a.Retention != 0 && a.Retention < leastRetention,
		fmt.Sprintf("%v is too small; the minimum is 720h, or 0 to keep all rows", a.Retention),
	}}
}
