package oauth_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"regexp"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// RFC 6749 10.10: at most 2^-128, and better 2^-160, to guess one; these have 256 bits.
func TestNewSecret(t *testing.T) {
	a, err := oauth.NewSecret(rand.Reader)
	require.NoError(t, err)
	b, err := oauth.NewSecret(rand.Reader)
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`), a, "256 bits, safe in a URL and a header")
	require.NotEqual(t, a, b)
	require.True(t, oauth.ValidPKCE(a), "a secret can serve as a code verifier")
}

// RFC 6749 10.10.
func TestSecretMatchesOnlyItsOwnHash(t *testing.T) {
	hash := oauth.HashSecret("right")
	require.Len(t, hash, 32)
	require.True(t, oauth.SecretMatches(hash, "right"))
	require.False(t, oauth.SecretMatches(hash, "wrong"))
	require.False(t, oauth.SecretMatches(hash, ""))
	require.False(t, oauth.SecretMatches(nil, ""), "no hash matches nothing")
	require.False(t, oauth.SecretMatches(make([]byte, 32), ""))
}

func TestNewID(t *testing.T) {
	id, err := oauth.NewID("usr_", rand.Reader)
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`^usr_[a-z2-7]{26}$`), id)
}

func TestRandomnessThatRunsDryIsAnError(t *testing.T) {
	broken := iotest.ErrReader(errors.New("no entropy"))
	short := func() io.Reader { return bytes.NewReader([]byte{1, 2, 3}) }
	for name, f := range map[string]func(io.Reader) (string, error){
		"secret":    oauth.NewSecret,
		"user code": oauth.NewUserCode,
		"id":        func(r io.Reader) (string, error) { return oauth.NewID("x_", r) },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := f(broken)
			require.ErrorContains(t, err, "no entropy")
			require.Empty(t, s)
			_, err = f(short())
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		})
	}
}
