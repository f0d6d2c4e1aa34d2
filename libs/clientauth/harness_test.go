package clientauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	assertionstore "github.com/platform-oauth/platform-oauth/libs/clientauth/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
)

const (
	issuer   = "https://id.test/api/v1/platform/oauth"
	clientID = "app"
)

// keyring holds one key of each kind, made once.
type keyring struct {
	rsa     *rsa.PrivateKey
	ec      *ecdsa.PrivateKey
	ed      ed25519.PrivateKey
	another *ecdsa.PrivateKey
}

var keyringOf = sync.OnceValues(func() (k keyring, err error) {
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	if err == nil {
		k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err == nil {
		k.another, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err == nil {
		_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	}

	return k, err
})

func testKeys(t testing.TB) keyring {
	t.Helper()
	k, err := keyringOf()
	require.NoError(t, err)
	return k
}

func keySet(t testing.TB, keys ...jose.JSONWebKey) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	require.NoError(t, err)
	return raw
}

// set has the public halves of the keyring, by the kids r, e and d.
func (k keyring) set(t testing.TB) json.RawMessage {
	t.Helper()
	return keySet(t, jose.JSONWebKey{Key: k.rsa.Public(), KeyID: "r"}, jose.JSONWebKey{
		Key:       k.ec.Public(),
		KeyID:     "e",
		Algorithm: "ES256",
		Use:       "sig",
	},
		jose.JSONWebKey{Key: k.ed.Public(), KeyID: "d"})
}

type claims map[string]any

func good() claims {
	return claims{
		"iss": clientID,
		"sub": clientID,
		"aud": issuer,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(time.Minute).Unix(),
	}
}

func (c claims) with(more claims) claims {
	all := maps.Clone(c)
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

func sign(t testing.TB, key any, alg jose.SignatureAlgorithm, header map[jose.HeaderKey]any, c claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	require.NoError(t, err)
	payload, err := json.Marshal(c)
	require.NoError(t, err)
	jws, err := signer.Sign(payload)
	require.NoError(t, err)
	token, err := jws.CompactSerialize()
	require.NoError(t, err)
	return token
}

func kid(id string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"kid": id} }

func asserted(token string) clientauth.Form {
	return clientauth.Form{AssertionType: clientauth.AssertionType, Assertion: token}
}

// noKeys is a source of key sets that must not be asked.
type noKeys struct{ err error }

func (k noKeys) Keys(context.Context, *directory.Application, string) (*clientauth.KeySet, error) {
	return nil, k.err
}

func authenticator(db *database.DB, at time.Time) *clientauth.Authenticator {
	return &clientauth.Authenticator{
		Issuer:     issuer,
		Keys:       noKeys{errors.New("must not be asked")},
		Assertions: assertionstore.New(db),
		Limiter:    limitstore.New(db),
		Rule:       limits.Rule{Failures: 3, Window: time.Minute},
		LimitKey:   []byte("key"),
		Now:        func() time.Time { return at },
	}
}

var address = netip.MustParseAddr("192.0.2.1")

func check(t testing.TB, a *clientauth.Authenticator, app *directory.Application, form clientauth.Form) error {
	t.Helper()
	credentials, err := clientauth.ParseForm(nil, form)
	if err != nil {
		return err
	}
	return a.Authenticate(t.Context(), app, credentials, address)
}

type neverUsed struct{}

func (neverUsed) Use(context.Context, string, []byte, time.Time) (bool, error) { return true, nil }

type unlimited struct{}

func (unlimited) Take(context.Context, time.Time, ...limits.Claim) ([]limits.Taken, time.Time, error) {
	return nil, time.Time{}, nil
}
