package localkeys_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
)

func ExampleStore() {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	keys, err := localkeys.Open(dir)
	if err != nil {
		panic(err)
	}
	defer func() { _ = keys.Close() }()

	ctx := context.Background()
	ref, public, err := keys.Create(ctx, signing.EdDSA)
	if err != nil {
		panic(err)
	}

	key := signing.Key{Algorithm: signing.EdDSA, Ref: ref, PublicKey: public}
	signature, err := keys.Sign(ctx, key, []byte("a message"))
	if err != nil {
		panic(err)
	}

	fmt.Println(ed25519.Verify(public.(ed25519.PublicKey), []byte("a message"), signature))

	// Output: true
}
