package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

const (
	billingAPI = "https://api.billing.test"
	ledgerAPI  = "https://ledger.test"

	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	accessType    = "urn:ietf:params:oauth:token-type:access_token"
)

// register adds an application to a running platform, as the operator does.
func (s *system) register(t *testing.T, app *directory.Application) {
	t.Helper()
	app.Name, app.ScopeLevel, app.Active = app.ClientID, directory.Global, true
	require.NoError(t, directorystore.NewOperator(s.database(t)).Tx(t.Context(), func(w *directorystore.Writer) error {
		return w.SaveApplication(t.Context(), app, time.Now().UTC())
	}))
}

// machine is a service that authenticates with a key of its own (RFC 7523 2.2).
type machine struct {
	id  string
	key jose.JSONWebKey
}

// newMachine registers the server of billingAPI, which may ask for ledgerAPI.
func newMachine(t *testing.T, s *system, id string) *machine {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	m := &machine{id: id, key: jose.JSONWebKey{
		Key:       private,
		KeyID:     "one",
		Algorithm: "ES256",
		Use:       "sig",
	}}

	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{m.key.Public()}})
	require.NoError(t, err)
	s.register(t, &directory.Application{
		ClientID:        id,
		Type:            directory.Service,
		JWKS:            keys,
		Grants:          []oauth.GrantType{oauth.GrantClientCredentials, oauth.GrantTokenExchange},
		Scopes:          oauth.Scopes{"api:read"},
		Audiences:       []string{ledgerAPI},
		ResourcesServed: []string{billingAPI},
		FirstParty:      true,
	})

	return m
}

// assertion returns an assertion for one request.
func (m *machine) assertion(t *testing.T, issuer string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: m.key}, nil)
	require.NoError(t, err)
	claims, err := json.Marshal(map[string]any{
		"iss": m.id,
		"sub": m.id,
		"aud": issuer,
		"jti": rand.Text(),
		"exp": time.Now().Add(time.Minute).Unix(),
	})

	require.NoError(t, err)
	jws, err := signer.Sign(claims)
	require.NoError(t, err)
	assertion, err := jws.CompactSerialize()
	require.NoError(t, err)

	return assertion
}

// send posts a form with an assertion, a fresh one where none is given.
func (m *machine) send(t *testing.T, s *system, path string, form url.Values) (int, map[string]any) {
	t.Helper()
	if !form.Has("client_assertion") {
		form.Set("client_assertion", m.assertion(t, s.Issuer))
	}

	form.Set("client_assertion_type", assertionType)
	res, body := exchange(t, http.MethodPost, s.url(path), form.Encode(), nil)
	var answer map[string]any
	require.NoError(t, json.Unmarshal(body, &answer))
	return res.StatusCode, answer
}

// TestAServiceExchangesWhatItWasSent exchanges a person's token for the next API, by an
// API that has a key and no secret (RFC 7523 2.2, RFC 8693).
func TestAServiceExchangesWhatItWasSent(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		m := newMachine(t, s, "billing-api")
		rp := newRelyingParty(t, s, "portal", portalCallback, "openid", "email", "api:read")
		a := newAttempt()
		begin := rp.begin(a) + "&" + url.Values{"resource": {billingAPI}}.Encode()
		code := rp.code(t, s, a, signIn(formbrowser.New(t, "https://").Get(begin), "ada@acme.test"))
		tokens, id := rp.redeem(t, a, code)

		form := func() url.Values {
			return url.Values{
				"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
				"audience":           {ledgerAPI},
				"scope":              {"api:read"},
				"subject_token":      {tokens.AccessToken},
				"subject_token_type": {accessType},
			}
		}

		used := form()
		status, answer := m.send(t, s, "/oauth/token", used)
		require.Equal(t, http.StatusOK, status, answer)
		require.Equal(t, accessType, answer["issued_token_type"], "RFC 8693 2.2.1")
		claims, subject := claimsOf(t, answer["access_token"].(string)), claimsOf(t, tokens.AccessToken)
		require.Equal(t, id.Subject, claims["sub"])
		require.Equal(t, ledgerAPI, claims["aud"])
		require.Equal(t, map[string]any{"sub": m.id}, claims["act"], "RFC 8693 4.1")
		require.Equal(t, subject["gid"], claims["gid"])
		require.LessOrEqual(t, claims["exp"], subject["exp"])

		status, answer = m.send(t, s, "/oauth/token", used)
		require.Equal(t, http.StatusUnauthorized, status, "RFC 7523 3: an assertion is good once")
		require.Equal(t, "invalid_client", answer["error"])
		elsewhere := form()
		elsewhere.Set("audience", "https://elsewhere.test")
		_, answer = m.send(t, s, "/oauth/token", elsewhere)
		require.Equal(t, "invalid_target", answer["error"], "RFC 8693 2.2.2")

		_, told := m.send(t, s, "/oauth/introspect", url.Values{"token": {tokens.AccessToken}})
		require.Equal(t, true, told["active"], "RFC 7662 4: it serves the resource")
		status, _ = rp.about(t, s.url("/oauth/revoke"), tokens.AccessToken)
		require.Equal(t, http.StatusOK, status)
		_, told = m.send(t, s, "/oauth/introspect", url.Values{"token": {tokens.AccessToken}})
		require.Equal(t, map[string]any{"active": false}, told)
		status, answer = m.send(t, s, "/oauth/token", form())
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, "invalid_request", answer["error"], "RFC 8693 2.2.2: a revoked token is not exchanged")

		for name, p := range s.procs {
			for what, secret := range map[string]string{
				"the code":          code,
				"the access token":  tokens.AccessToken,
				"the refresh token": tokens.RefreshToken,
				"the assertion":     used.Get("client_assertion"),
				"the verifier":      a.verifier,
				"the secret":        secrets["portal"],
				"the password":      password,
				"the address":       "ada@acme.test",
			} {
				require.NotContains(t, withoutSeed(p.out.String()), secret, "%s in the log of %s", what, name)
			}
		}
	})
}

// withoutSeed leaves out what `up --apply` prints of the seed: it names people.
func withoutSeed(said string) string {
	_, after, found := strings.Cut(said, ": applied\n")
	if !found {
		return said
	}
	return after
}

// TestKeysFromNPM imports the key with jose and has oauth4webapi and openid-client sign the assertions.
func TestKeysFromNPM(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		m := newMachine(t, s, "node-api")
		private, err := json.Marshal(m.key)
		require.NoError(t, err)
		script := startScript(t, "jose")
		script.say(map[string]any{
			"issuer":      s.Issuer,
			"client_id":   m.id,
			"private_jwk": string(private),
			"resource":    ledgerAPI,
		})

		var answer map[string]any
		require.NoError(t, json.Unmarshal(script.hear().Done, &answer))
		require.Equal(t, map[string]any{
			"oauth4webapi":  m.id,
			"openid-client": m.id,
			"active":        true,
			"reused":        "invalid_client",
			"exchanged":     accessType,
		}, answer)
	})
}
