package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// A key is published for only so long after its last use.
func TestNoAccessTokenMayOutliveItsKey(t *testing.T) {
	var cfg struct{ Tokens Tokens }
	load := func(ttl time.Duration) error {
		return Load(&cfg, LoadOptions{Environ: []string{"PLATFORM_ACCESS_TOKEN_TTL=" + ttl.String()}})
	}

	require.NoError(t, load(signing.LongestToken))
	require.ErrorContains(t, load(signing.LongestToken+time.Second), "PLATFORM_ACCESS_TOKEN_TTL")
}
