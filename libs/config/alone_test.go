package config

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Those would lengthen or widen what the operator did not mention: how long people
// stay signed in, how much the database is asked. It is theirs to say so.
var neverRaised = map[string]bool{
	"PLATFORM_REFRESH_IDLE_TTL":      true,
	"PLATFORM_DATABASE_LOCK_TIMEOUT": true,
	"PLATFORM_DATABASE_MAX_IDLE":     true,
	"PLATFORM_VAULT_TIMEOUT":         true,
}

// A rule between two variables must not refuse one that was set alone: the
// default of the other follows.
func TestEverySensibleSettingAloneStarts(t *testing.T) {
	vault := map[string]string{
		"PLATFORM_SIGNING_BACKEND": SigningVault,
		"VAULT_ADDR":               "https://vault.example.com:8200",
		"VAULT_TOKEN":              "hvs.x",
	}
	tried := 0
	for _, v := range Table() {
		for _, value := range around(v.Default) {
			environment := environ(valid(), vault, map[string]string{v.Name: value})
			found := problems(t, &everything{}, LoadOptions{Environ: environment})
			if neverRaised[v.Name] || outOfBounds(found[v.Name]) {
				continue
			}

			require.Empty(t, found, "%s=%s", v.Name, value)
			tried++
		}
	}

	require.Greater(t, tried, 60)

	for name, value := range map[string]string{
		"PLATFORM_REFRESH_TOKEN_TTL":          "168h",
		"PLATFORM_SESSION_LIFETIME":           "8h",
		"PLATFORM_KEY_ROTATION":               "24h",
		"PLATFORM_DATABASE_MAX_OPEN":          "4",
		"PLATFORM_DATABASE_STATEMENT_TIMEOUT": "2s",
		"PLATFORM_HTTP_REQUEST_DEADLINE":      "2s",
		"PLATFORM_HTTP_WRITE_TIMEOUT":         "10s",
		"PLATFORM_HTTP_READ_TIMEOUT":          "4s",
	} {
		require.Empty(t,
			problems(t, &everything{}, LoadOptions{Environ: environ(valid(), vault, map[string]string{name: value})}),
			name)
	}
}

// around is a tenth, a half, twice and ten times of a default that is a number or a time.
func around(initial string) (values []string) {
	if d, err := time.ParseDuration(initial); err == nil && d > 0 {
		for _, other := range []time.Duration{d / 10, d / 2, d * 2, d * 10} {
			values = append(values, other.String())
		}
		return values
	}

	if n, err := strconv.Atoi(initial); err == nil && n > 0 {
		for _, other := range []int{n / 10, n / 2, n * 2, n * 10} {
			values = append(values, strconv.Itoa(other))
		}
	}

	return values
}

// outOfBounds reports whether a value breaks the bounds of its own variable.
func outOfBounds(message string) bool {
	return strings.Contains(message, "is too small") || strings.Contains(message, "is too large")
}

func TestADefaultFollowsWhatWasSetAlone(t *testing.T) {
	var cfg everything
	set := map[string]string{
		"PLATFORM_REFRESH_TOKEN_TTL": "168h",
		"PLATFORM_SESSION_LIFETIME":  "8h",
		"PLATFORM_DATABASE_MAX_OPEN": "4",
	}
	require.NoError(t, Load(&cfg, LoadOptions{Environ: environ(valid(), set)}))
	require.Equal(t, 168*time.Hour, cfg.Tokens.RefreshIdleTTL)
	require.Equal(t, 8*time.Hour, cfg.Sessions.Idle)
	require.Equal(t, 4, cfg.Database.MaxIdle)

	found := problems(t, &everything{}, LoadOptions{Environ: environ(valid(), map[string]string{
		"PLATFORM_REFRESH_TOKEN_TTL": "168h", "PLATFORM_REFRESH_IDLE_TTL": "720h",
	})})
	require.Contains(t, found["PLATFORM_REFRESH_IDLE_TTL"], "exceeds PLATFORM_REFRESH_TOKEN_TTL",
		"what was set is never changed silently")
}
