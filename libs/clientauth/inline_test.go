package clientauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/limits"
)

func inlineAuthenticator() *clientauth.Authenticator {
	return &clientauth.Authenticator{
		Issuer:     issuer,
		Keys:       noKeys{errors.New("must not be asked")},
		Assertions: neverUsed{},
		Limiter:    unlimited{},
		Rule:       limits.Rule{Failures: 3, Window: time.Minute},
		LimitKey:   []byte("key"),
		Now:        func() time.Time { return now },
	}
}

func keyed(set json.RawMessage) *directory.Application {
	return application(func(a *directory.Application) { a.JWKS, a.Secrets = set, nil })
}

func TestAChangedApplicationIsCheckedWithItsNewKeysAlone(t *testing.T) {
	k, a := testKeys(t), inlineAuthenticator()
	former := asserted(sign(t, k.ec, jose.ES256, kid("e"), good()))
	latter := asserted(sign(t, k.another, jose.ES256, kid("e"), good()))
	app := keyed(keySet(t, jose.JSONWebKey{Key: k.ec.Public(), KeyID: "e"}))
	for range 2 {
		require.NoError(t, check(t, a, app, former))
		require.Error(t, check(t, a, app, latter))
	}

	app.JWKS = keySet(t, jose.JSONWebKey{Key: k.another.Public(), KeyID: "e"})
	for range 2 {
		require.Error(t, check(t, a, app, former))
		require.NoError(t, check(t, a, app, latter))
	}
}

func TestInlineKeysAreKeptParsedWithinABound(t *testing.T) {
	k, a := testKeys(t), inlineAuthenticator()
	form := asserted(sign(t, k.ec, jose.ES256, kid("e"), good()))
	key := jose.JSONWebKey{Key: k.ec.Public(), KeyID: "e"}

	// Spaces after the document make another document of it.
	set := string(keySet(t, slices.Repeat([]jose.JSONWebKey{key}, 60)...))
	for i := range 3 * clientauth.MaxInlineKeys / 60 {
		require.NoError(t, check(t, a, keyed(json.RawMessage(set+strings.Repeat(" ", i))), form))
		sets, keys := a.Inline()
		require.LessOrEqual(t, keys, clientauth.MaxInlineKeys)
		require.Equal(t, 61*sets, keys)
	}

	require.Error(t, check(t, a, keyed(json.RawMessage(`{"keys":{}}`)), form), "a set that can't be read")
}

func TestManyCallersMayNeedOneInlineSetAtOnce(t *testing.T) {
	k, a := testKeys(t), inlineAuthenticator()
	app, form := keyed(k.set(t)), asserted(sign(t, k.ec, jose.ES256, kid("e"), good()))
	errs := make([]error, 50)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = check(t, a, app, form) })
	}

	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}

	sets, keys := a.Inline()
	require.Equal(t, "1 4", fmt.Sprint(sets, keys))
}

func BenchmarkPrivateKeyJWT(b *testing.B) {
	k, a := testKeys(b), inlineAuthenticator()
	app, form := keyed(k.set(b)), asserted(sign(b, k.ec, jose.ES256, kid("e"), good()))
	credentials, err := clientauth.ParseForm(nil, form)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if err := a.Authenticate(b.Context(), app, credentials, address); err != nil {
			b.Fatal(err)
		}
	}
}
