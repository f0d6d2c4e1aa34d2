package domain_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/domain"
)

var update = flag.Bool("update", false, "write the golden files")

func publicKeys(t *testing.T) []signing.Key {
	t.Helper()
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	es, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	keys := []signing.Key{
		{Algorithm: signing.EdDSA, PublicKey: ed},
		{Algorithm: signing.ES256, PublicKey: &es.PublicKey},
		{Algorithm: signing.RS256, PublicKey: &rs.PublicKey},
	}
	for i := range keys {
		keys[i].KID = signing.Thumbprint(keys[i].PublicKey)
	}

	return keys
}

func TestTheMetadataSaysWhatTheGoldenFileSays(t *testing.T) {
	const golden = "testdata/metadata.golden.json"
	documents, err := domain.NewDocuments("https://id.example", publicKeys(t))
	require.NoError(t, err)
	var pretty bytes.Buffer
	require.NoError(t, json.Indent(&pretty, documents.Metadata.Body, "", "  "))
	pretty.WriteByte('\n')

	if *update {
		require.NoError(t, os.WriteFile(golden, pretty.Bytes(), 0o600))
	}

	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), pretty.String(), "run the test with -update if the change is meant")
}

func TestTheSetHasEveryPublishedKeyAndNothingPrivate(t *testing.T) {
	keys := publicKeys(t)
	documents, err := domain.NewDocuments("https://id.example", keys)
	require.NoError(t, err)
	var set jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal(documents.JWKS.Body, &set))
	require.Len(t, set.Keys, len(keys))

	for i, jwk := range set.Keys {
		require.True(t, jwk.IsPublic() && jwk.Valid())
		require.Equal(t, keys[i].PublicKey, jwk.Key)
		require.Equal(t, []string{keys[i].KID, string(keys[i].Algorithm), "sig"},
			[]string{jwk.KeyID, jwk.Algorithm, jwk.Use})
	}

	var raw struct {
		Keys []map[string]any `json:"keys"`
	}
	require.NoError(t, json.Unmarshal(documents.JWKS.Body, &raw))

	for _, jwk := range raw.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} { // RFC 7518 6.2.2, 6.3.2, 6.4.1
			require.NotContains(t, jwk, private)
		}
	}
}

func TestAnEmptyOrPrivateSetIsNeverWritten(t *testing.T) {
	_, err := domain.NewDocuments("https://id.example", nil)
	require.ErrorIs(t, err, signing.ErrNoKey)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, err = domain.NewDocuments("https://id.example", []signing.Key{{Algorithm: signing.RS256, PublicKey: private}})
	require.Error(t, err)
}

func TestTheTagChangesWithTheContentOnly(t *testing.T) {
	keys := publicKeys(t)
	all, err := domain.NewDocuments("https://id.example", keys)
	require.NoError(t, err)
	again, err := domain.NewDocuments("https://id.example", keys)
	require.NoError(t, err)
	fewer, err := domain.NewDocuments("https://id.example", keys[1:])
	require.NoError(t, err)
	require.Equal(t, all, again)
	require.NotEqual(t, all.JWKS.ETag, fewer.JWKS.ETag)
	require.NotEqual(t, all.JWKS.ETag, all.Metadata.ETag)
	require.Regexp(t, `^"[\w-]+"$`, all.JWKS.ETag, "a strong tag (RFC 9110 8.8.3)")
}
