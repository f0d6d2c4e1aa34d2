package sealed_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

var (
	began  = time.Date(2026, 3, 1, 12, 0, 0, 123000, time.UTC)
	first  = bytes.Repeat([]byte{1}, sha256.Size)
	second = bytes.Repeat([]byte{2}, sha256.Size)
)

func newSealer(t testing.TB, keys ...[]byte) *sealed.Sealer {
	t.Helper()
	s, err := sealed.New(keys, rand.Reader)
	require.NoError(t, err)
	return s
}

func request() *grants.Flow {
	seconds := 0
	return &grants.Flow{
		ID:          "flw_1",
		Kind:        grants.KindAuthorize,
		BrowserHash: oauth.HashSecret("browser"),
		UILocales:   "de en",
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		CreatedAt:   began,
		ExpiresAt:   began.Add(grants.FlowTTL),
		Access: grants.Access{
			ClientID: "web",
			Scope:    oauth.Scopes{"openid", "email"},
			Resource: "https://api.test",
		},
		Wishes: grants.Wishes{
			Prompt:      oauth.Prompt{"login", "consent"},
			MaxAge:      &seconds,
			LoginHint:   "ada@acme.test",
			ACRValues:   "2 1",
			HintSubject: "usr_ada",
		},
		Authorize: &grants.Authorization{
			RedirectURI:   "https://app.test/cb?a=1&b=<>",
			ResponseMode:  oauth.ResponseModeFormPost,
			State:         "st\"a\x01te ü \xff",
			Nonce:         "n",
			CodeChallenge: "c",
		},
		Visit: grants.Visit{TenantID: "tnt_acme"},
	}
}

func seal(t testing.TB, s *sealed.Sealer, use sealed.Use, r *grants.Flow) string {
	t.Helper()
	token, fits, err := s.Seal(use, r)
	require.NoError(t, err)
	require.True(t, fits)
	require.True(t, use.Is(token))
	return token
}

func TestARequestComesOutAsItWentIn(t *testing.T) {
	s := newSealer(t, first)
	token := seal(t, s, sealed.Pages, request())
	require.Regexp(t, `^fls_[A-Za-z0-9_-]+$`, token)
	got, err := s.Open(sealed.Pages, token)
	require.NoError(t, err)
	want := request()
	want.Sealed = token
	require.Equal(t, want, got)
	require.Equal(t, token, got.Handle())
	require.NotEqual(t, token, seal(t, s, sealed.Pages, request()), "each token has a key of its own")
}

func TestADevicesSignInComesOutAsItWentIn(t *testing.T) {
	s := newSealer(t, first)
	device := request()
	device.Kind, device.Wishes, device.Authorize = grants.KindDevice, grants.Wishes{}, nil
	device.Device = &grants.DeviceSignIn{UserCode: "BBBB-BBBB"}

	got, err := s.Open(sealed.Pages, seal(t, s, sealed.Pages, device))
	require.NoError(t, err)
	device.Sealed = got.Sealed
	require.Equal(t, device, got)
}

func TestANewFirstKeyEndsNothing(t *testing.T) {
	token := seal(t, newSealer(t, first), sealed.Pages, request())
	_, err := newSealer(t, second, first).Open(sealed.Pages, token)
	require.NoError(t, err)
	_, err = newSealer(t, second).Open(sealed.Pages, token)
	require.ErrorIs(t, err, sealed.ErrInvalid)
	_, err = sealed.New(nil, rand.Reader)
	require.Error(t, err)
}

func TestATokenIsForOneUse(t *testing.T) {
	s := newSealer(t, first)
	for use, other := range map[sealed.Use]sealed.Use{sealed.Pages: sealed.Kept, sealed.Kept: sealed.Pages} {
		token := seal(t, s, use, request())
		_, err := s.Open(other, token)
		require.ErrorIs(t, err, sealed.ErrInvalid)
		_, err = s.Open(other, string(other)+strings.TrimPrefix(token, string(use)))
		require.ErrorIs(t, err, sealed.ErrInvalid)
	}
}

func TestWhatWasChangedIsNothing(t *testing.T) {
	s := newSealer(t, first)
	token := seal(t, s, sealed.Pages, request())
	for i := range token {
		changed := []byte(token)
		if changed[i] = 'A'; token[i] == 'A' {
			changed[i] = 'B'
		}
		_, err := s.Open(sealed.Pages, string(changed))
		require.ErrorIs(t, err, sealed.ErrInvalid, "byte %d", i)
	}

	for _, strange := range []string{
		"", "fls_", "flw_1", token[:len(token)-1], token + "A", token + "\n",
		token + strings.Repeat("A", sealed.MaxToken),
	} {
		_, err := s.Open(sealed.Pages, strange)
		require.ErrorIs(t, err, sealed.ErrInvalid, strange)
	}
}

func TestWhatIsTooLongForAnAddressNeedsARow(t *testing.T) {
	s, r := newSealer(t, first), request()
	fitted := false
	for length := range 3000 {
		r.Authorize.State = strings.Repeat("\x00", length)
		token, fits, err := s.Seal(sealed.Pages, r)
		require.NoError(t, err)
		require.LessOrEqual(t, len(token), sealed.MaxToken)

		if !fits {
			require.Empty(t, token)
			require.Greater(t, length, 1000)
			fitted = true
			break
		}
	}

	require.True(t, fitted)
}

// The row of a request that lasted longer would be removed while its token still opens.
func TestATokenThatOutlivesItsRowIsNothing(t *testing.T) {
	s, r := newSealer(t, first), request()
	r.ExpiresAt = r.CreatedAt.Add(grants.FlowTTL + time.Second)
	_, err := s.Open(sealed.Pages, seal(t, s, sealed.Pages, r))
	require.ErrorIs(t, err, sealed.ErrInvalid)
}

func FuzzOpen(f *testing.F) {
	s := newSealer(f, first)
	f.Add(seal(f, s, sealed.Pages, request()))
	f.Add("fls_AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		if r, err := s.Open(sealed.Pages, token); err == nil {
			require.Equal(t, "flw_1", r.ID)
		}
	})
}
