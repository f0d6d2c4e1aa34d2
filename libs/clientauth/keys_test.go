package clientauth_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
)

func TestParseKeySet(t *testing.T) {
	k := testKeys(t)
	public := func(key crypto.PublicKey) string {
		raw, err := jose.JSONWebKey{Key: key}.MarshalJSON()
		require.NoError(t, err)
		return string(raw)
	}

	private, err := jose.JSONWebKey{Key: k.ec}.MarshalJSON()
	require.NoError(t, err)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)

	for name, tt := range map[string]struct {
		raw string
		len int
		bad bool
	}{
		"three keys": {raw: string(k.set(t)), len: 3},
		"no key":     {raw: `{"keys":[]}`},
		"keys of unknown kinds (RFC 7517 5)": {
			raw: `{"keys":[{"kty":"LATTICE"},5,"x",null,` + public(k.ed.Public()) + `]}`,
			len: 1,
		},
		"an RSA key that is too short": {raw: `{"keys":[` + public(weak.Public()) + `]}`},
		"a private key":                {raw: `{"keys":[` + string(private) + `]}`, bad: true},
		"a private key, malformed beside that": {
			raw: `{"keys":[{"kty":"EC","d":"AAAA","key_ops":"sign"}]}`,
			bad: true,
		},
		"a private key's factors (RFC 7518 6.3)": {
			raw: `{"keys":[{"kty":"RSA","n":"AAAA","e":"AQAB","p":"AAAA"}]}`,
			bad: true,
		},
		"a symmetric key":                  {raw: `{"keys":[{"kty":"oct","k":"AAAA"}]}`, bad: true},
		"a point that is not on the curve": {raw: `{"keys":[{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}]}`},
		"too many keys": {
			raw: `{"keys":[` + string(slices.Repeat([]byte("1,"), 64)) + `1]}`,
			bad: true,
		},
		"keys that isn't an array":               {raw: `{"keys":{}}`, bad: true},
		"no keys (RFC 7517 5.1: it is required)": {raw: `{}`, bad: true},
		"no JSON":                                {raw: `<html>`, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := clientauth.ParseKeySet([]byte(tt.raw))
			if tt.bad {
				require.Error(t, err)
				return
			}

			require.NoError(t, err)
			require.Equal(t, tt.len, set.Len())
		})
	}
}

func FuzzParseKeySet(f *testing.F) {
	f.Add([]byte(testKeys(f).set(f)))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if set, err := clientauth.ParseKeySet(raw); err == nil && set.Len() > 64 {
			t.Fatal("too many keys")
		}
	})
}
