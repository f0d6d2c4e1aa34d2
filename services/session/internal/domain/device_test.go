package domain_test

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

var deviceSecret = []byte("a secret of the tests")

func remember(t testing.TB, cookie, email string, now time.Time) string {
	t.Helper()
	cookie, err := domain.RememberDevice(rand.Reader, deviceSecret, cookie, email, now)
	require.NoError(t, err)
	return cookie
}

// RFC 6749 10.10: who is exempt from an account's limit.
func TestADeviceIsKnownToWhoSignedInWithItAndNobodyElse(t *testing.T) {
	cookie := remember(t, "", "ada@acme.test", started)
	knows := domain.KnowsDevice
	require.True(t, knows(deviceSecret, cookie, "ada@acme.test", started))
	require.False(t, knows(deviceSecret, cookie, "bob@acme.test", started))
	require.False(t, knows([]byte("another"), cookie, "ada@acme.test", started))
	require.False(t, knows(deviceSecret, "", "ada@acme.test", started))
	require.NotContains(t, cookie, "ada", "it doesn't contain the address")
	require.True(t, knows(deviceSecret, cookie, "ada@acme.test", started.AddDate(0, 11, 0)))
	require.False(t, knows(deviceSecret, cookie, "ada@acme.test", started.AddDate(1, 0, 2)),
		"a year later it is unknown again")

	nonce, rest, _ := strings.Cut(cookie, ".")
	other, _, _ := strings.Cut(remember(t, "", "ada@acme.test", started), ".")
	require.NotEqual(t, nonce, other)
	require.False(t, knows(deviceSecret, other+"."+rest, "ada@acme.test", started), "an entry belongs to its cookie")
}

func TestADeviceKeepsFiveAccountsTheOldestGoes(t *testing.T) {
	cookie := ""
	names := []string{"a@x.test", "b@x.test", "c@x.test", "d@x.test", "e@x.test", "a@x.test", "f@x.test"}
	for _, name := range names {
		cookie = remember(t, cookie, name, started)
	}

	for name, want := range map[string]bool{
		"a@x.test": true,
		"b@x.test": false,
		"c@x.test": true,
		"d@x.test": true,
		"e@x.test": true,
		"f@x.test": true,
	} {
		require.Equal(t, want, domain.KnowsDevice(deviceSecret, cookie, name, started), name)
	}

	require.LessOrEqual(t, len(cookie), 512, "the jar takes it")
}

func TestADeviceCookieNeedsRandomness(t *testing.T) {
	_, err := domain.RememberDevice(bytes.NewReader(nil), deviceSecret, "", "ada@acme.test", started)
	require.Error(t, err)
}

func FuzzDeviceCookie(f *testing.F) {
	f.Add("")
	f.Add("AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("....")
	f.Add(remember(f, "", "bob@acme.test", started))
	f.Fuzz(func(t *testing.T, cookie string) {
		require.False(t, domain.KnowsDevice(deviceSecret, cookie, "ada@acme.test", started), "it can't be forged")
		next := remember(t, cookie, "ada@acme.test", started)
		require.True(t, domain.KnowsDevice(deviceSecret, next, "ada@acme.test", started))
		require.LessOrEqual(t, len(next), 512)
	})
}
