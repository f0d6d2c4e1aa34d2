package signing_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
)

// oneKey is a schedule of one key. The platform reads its own from a table; see signing/sqlstore.
type oneKey struct{ key signing.Key }

func (s oneKey) Keys(context.Context) ([]signing.Key, error) { return []signing.Key{s.key}, nil }

// makeKey makes a private key in a folder, and a schedule in which it signs from now on.
func makeKey(ctx context.Context, dir string, alg signing.Algorithm) (*localkeys.Store, oneKey) {
	keys, err := localkeys.Open(dir)
	if err != nil {
		panic(err)
	}

	ref, public, err := keys.Create(ctx, alg)
	if err != nil {
		panic(err)
	}

	return keys, oneKey{signing.Key{
		KID:         signing.Thumbprint(public),
		Algorithm:   alg,
		Generation:  1,
		Ref:         ref,
		PublicKey:   public,
		PublishedAt: time.Now(),
		ActiveFrom:  time.Now(),
	}}
}

// A ring signs with the active key of the schedule and verifies with all of its keys.
func ExampleRing() {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	ctx := context.Background()
	keys, schedule := makeKey(ctx, dir, signing.EdDSA)
	defer func() { _ = keys.Close() }()

	ring := signing.NewRing(signing.RingOptions{Schedule: schedule, Backend: keys})
	token, err := ring.Sign(ctx, signing.EdDSA, signing.TypeAccessToken, map[string]string{"sub": "usr_ada"})
	if err != nil {
		panic(err)
	}

	payload, err := ring.Verify(ctx, token, signing.TypeAccessToken)
	fmt.Println(string(payload), err)

	// An access token doesn't pass for an ID token, although the same key signs both.
	_, err = ring.Verify(ctx, token, signing.TypeJWT)
	fmt.Println(errors.Is(err, signing.ErrInvalid))

	// Output:
	// {"sub":"usr_ada"} <nil>
	// true
}
