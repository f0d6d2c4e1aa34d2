package vaulttransit_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"
)

func TestReplicasThatMakeKeysAtOnceGetOneEach(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	e := open(t, bao, vaulttransit.Options{})
	atOnce := func() map[string]bool {
		refs, errs := make([]string, 16), make([]error, 16)
		var all sync.WaitGroup
		for i := range refs {
			all.Go(func() {
				ref, public, err := e.Create(t.Context(), signing.ES256)
				key := signing.Key{Ref: ref, PublicKey: public, Algorithm: signing.ES256}
				if err == nil {
					var signature []byte
					signature, err = e.Sign(t.Context(), key, []byte("input"))
					err = errors.Join(err, signingtest.Check(key, []byte("input"), signature))
				}

				refs[i], errs[i] = ref, err
			})
		}

		all.Wait()
		require.NoError(t, errors.Join(errs...), "the public half is that of the version")
		made := map[string]bool{}
		for _, ref := range refs {
			made[ref] = true
		}

		return made
	}

	first := atOnce()
	second := atOnce()
	require.Len(t, second, 16)

	for ref := range first {
		require.NotContains(t, second, ref)
	}
}

func TestTheNewestVersionIsGivenBackWhileItIsNew(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	now := time.Now()
	e := open(t, bao, vaulttransit.Options{Now: func() time.Time { return now }})
	left, err := e.Reconcile(t.Context(), signing.ES256, nil)
	require.NoError(t, err)
	require.Nil(t, left, "there is no key at all")
	first := signingtest.NewKey(t, e, signing.ES256, 1, now)
	second := signingtest.NewKey(t, e, signing.ES256, 2, now)
	left, err = e.Reconcile(t.Context(), signing.ES256, []signing.Key{first})
	require.NoError(t, err)
	require.Equal(t, second.Ref, left.Ref)
	require.Equal(t, second.KID, left.KID)
	left, err = e.Reconcile(t.Context(), signing.ES256, []signing.Key{second})
	require.NoError(t, err)
	require.Nil(t, left, "an older version stays where it is")
	remove(t, bao, "platform-es256")
	again := signingtest.NewKey(t, e, signing.ES256, 3, now)
	require.Equal(t, first.Ref, again.Ref)
	left, err = e.Reconcile(t.Context(), signing.ES256, []signing.Key{first, second})
	require.NoError(t, err)
	require.Equal(t, again.KID, left.KID, "another key than the row's of the same name and version")
	left, err = e.Reconcile(t.Context(), signing.ES256, []signing.Key{first, second, again})
	require.NoError(t, err)
	require.Nil(t, left)
	now = now.Add(2 * time.Hour)
	left, err = e.Reconcile(t.Context(), signing.ES256, []signing.Key{first})
	require.NoError(t, err)
	require.Nil(t, left, "a new key should be new")
}

func TestKeysThatOthersMadeWronglyAreRefused(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	root := bao.Client(t, bao.RootToken)
	e := open(t, bao, vaulttransit.Options{})

	for name, settings := range map[string]map[string]any{
		"platform-es256": {"type": "ecdsa-p384"},
		"platform-rs256": {"type": "rsa-2048", "exportable": true},
		"platform-ps256": {"type": "rsa-2048", "allow_plaintext_backup": true},
		"platform-eddsa": {"type": "ed25519", "derived": true},
	} {
		_, err := root.Logical().WriteWithContext(t.Context(), "transit/keys/"+name, settings)
		require.NoError(t, err)
	}

	for _, alg := range []signing.Algorithm{signing.RS256, signing.PS256, signing.ES256, signing.EdDSA} {
		_, _, err := e.Create(t.Context(), alg)
		require.Error(t, err, alg)
		_, err = e.Reconcile(t.Context(), alg, nil)
		require.Error(t, err, alg)
	}
}

func TestAnotherMountAndPrefix(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	root := bao.Client(t, bao.RootToken)
	_, err := root.Logical().WriteWithContext(t.Context(), "sys/mounts/team/keys", map[string]any{"type": "transit"})
	require.NoError(t, err)
	e := open(t, bao, vaulttransit.Options{Mount: "team/keys", Prefix: "id.example-2"})
	key := signingtest.NewKey(t, e, signing.EdDSA, 1, time.Now())
	require.Equal(t, "id.example-2-eddsa:v1", key.Ref)
	_, err = e.Sign(t.Context(), key, []byte("input"))
	require.NoError(t, err)

	for _, prefix := range []string{"a/b", "..", "-a", "a b"} {
		_, err := vaulttransit.New(vaulttransit.Options{Client: root, Prefix: prefix})
		require.Error(t, err, prefix)
	}

	_, err = vaulttransit.New(vaulttransit.Options{})
	require.Error(t, err)
	_, err = vaulttransit.New(vaulttransit.Options{Client: root, EC: vaulttransit.Limits{Batch: 1, Slots: -1}})
	require.Error(t, err)
}
