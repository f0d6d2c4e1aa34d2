package device_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// sign makes an ES256 JWS (RFC 7515 3.1, RFC 7518 3.4).
func sign(t *testing.T, key *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(`{"alg":"ES256","kid":"one"}`)) + "." + b64(payload)
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	require.NoError(t, err)
	return input + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// RFC 7523 3: client_id is in the assertion, which is good once.
func TestAnApplicationWithKeysAuthenticatesByAssertion(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		public, err := key.PublicKey.Bytes()
		require.NoError(t, err)
		b64 := base64.RawURLEncoding.EncodeToString
		w.exec(`UPDATE applications SET jwks = $1 WHERE client_id = 'strict'`, fmt.Sprintf(
			`{"keys":[{"kty":"EC","crv":"P-256","kid":"one","x":"%s","y":"%s"}]}`, b64(public[1:33]), b64(public[33:])))
		ask := func(signer *ecdsa.PrivateKey, jti string) *reply {
			return w.do(visit{method: http.MethodPost, path: authorizePath, form: url.Values{
				"client_assertion_type": {clientauth.AssertionType},
				"client_assertion": {sign(t, signer, map[string]any{
					"iss": "strict",
					"sub": "strict",
					"aud": origin + "/api/v1/platform/oauth",
					"jti": jti,
					"exp": w.clock.Now().Add(time.Minute).Unix(),
				})},
			}})
		}

		ask(key, "a").json(http.StatusOK)
		require.Equal(t, "invalid_client", ask(key, "a").json(http.StatusUnauthorized)["error"], "a jti is used once")
		ask(key, "b").json(http.StatusOK)
		stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		require.Equal(t, "invalid_client", ask(stranger, "c").json(http.StatusUnauthorized)["error"])
	})
}
