package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/limits"
)

func TestDerivedKeysDifferByPurposeAndFirstKey(t *testing.T) {
	one, two := EncryptionKey{1}, EncryptionKey{2}
	key := Encryption{Keys: []EncryptionKey{one}}.Derive("limits")
	require.Len(t, key, 32)
	require.Equal(t, key, Encryption{Keys: []EncryptionKey{one, two}}.Derive("limits"), "the first key counts")
	require.NotEqual(t, key, Encryption{Keys: []EncryptionKey{two, one}}.Derive("limits"))
	require.NotEqual(t, key, Encryption{Keys: []EncryptionKey{one}}.Derive("device cookie"))
	require.NotEqual(t, key, one[:])
	require.Nil(t, Encryption{}.Derive("limits"))
}

func TestALimitWaitsForItsWindowAtMost(t *testing.T) {
	l := Limits{SignIn: 3, Window: time.Minute}
	require.Equal(t, limits.Rule{Failures: 3, Window: time.Minute, MaxDelay: time.Minute}, l.Rule(l.SignIn))
}
