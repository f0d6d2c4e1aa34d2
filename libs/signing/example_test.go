package signing_test

import (
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// The key is that of RFC 8037, appendix A.
func ExampleThumbprint() {
	public, err := signing.ParsePublicJWK([]byte(`{
		"kty": "OKP",
		"crv": "Ed25519",
		"x":   "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
	}`))
	if err != nil {
		panic(err)
	}

	fmt.Println(signing.Thumbprint(public))
	fmt.Println(signing.EdDSA.Fits(public), signing.RS256.Fits(public))

	// Output:
	// kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
	// true false
}

// A key is published before it signs, and after another one has taken over.
func ExampleKey() {
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	key := signing.Key{
		Algorithm:   signing.ES256,
		Generation:  1,
		PublishedAt: monday,
		ActiveFrom:  monday.AddDate(0, 0, 1),
		RetireAt:    monday.AddDate(0, 0, 4),
	}

	for day := range 5 {
		now := monday.AddDate(0, 0, day)
		fmt.Printf("%-9s  published %-5t  signs %t\n", now.Weekday(), key.Published(now), key.Signs(now))
	}

	// Output:
	// Monday     published true   signs false
	// Tuesday    published true   signs true
	// Wednesday  published true   signs true
	// Thursday   published true   signs true
	// Friday     published false  signs false
}
