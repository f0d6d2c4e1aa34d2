package pqguard_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database/pqguard"
)

func TestADSNNamesSeveralHostsAsTheDriverTakesThem(t *testing.T) {
	for raw, want := range map[string]map[string]string{
		"postgres://u:p@h1,h2/db": {
			"host":                 "h1,h2",
			"port":                 "5432,5432",
			"target_session_attrs": "read-write",
		},
		"postgres://u:p@h1:1,h2,[2001:db8::1]:3/db": {
			"host":                 "h1,h2,2001:db8::1",
			"port":                 "1,5432,3",
			"target_session_attrs": "read-write",
		},
		"postgresql://h1,[::1]/db":                         {"host": "h1,::1", "port": "5432,5432"},
		"postgres://u:p@h1,h2/db?target_session_attrs=any": {"target_session_attrs": "any"},
		"postgres:///db?host=h1,h2": {
			"host":                 "h1,h2",
			"port":                 "",
			"target_session_attrs": "read-write",
		},
		"postgres://u:p@h1:5433/db": {"host": "", "target_session_attrs": ""},
	} {
		dsn, err := pqguard.DSN(raw)
		require.NoError(t, err, raw)
		u, err := url.Parse(dsn)
		require.NoError(t, err, dsn)
		require.Equal(t, "/db", u.Path)
		for name, value := range want {
			require.Equal(t, value, u.Query().Get(name), "%s: %s", raw, name)
		}
	}

	for _, raw := range []string{
		"postgres://u:hush@h1,,h2/db", "postgres://u:hush@h1:x,h2/db", "postgres://u:hu%sh@h1,h2/db",
		"mysql://u:hush@h1,h2/db", "hush",
	} {
		_, err := pqguard.DSN(raw)
		require.ErrorContains(t, err, "must be of the form", raw)
		require.NotContains(t, err.Error(), "hush")
	}
}
