package oauth_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// The values are those of RFC 7636, appendix B.
func ExampleVerifyS256() {
	const (
		challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
		verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	)

	fmt.Println(oauth.ValidPKCE(challenge))
	fmt.Println(oauth.VerifyS256(challenge, verifier))
	fmt.Println(oauth.VerifyS256(challenge, strings.ToUpper(verifier)))

	// Output:
	// true
	// true
	// false
}

func ExampleMatchRedirectURI() {
	const native = true
	registered := []string{"https://shop.example.com/callback", "http://127.0.0.1/callback"}

	for _, requested := range []string{
		"https://shop.example.com/callback",
		"https://shop.example.com/callback/",
		"http://127.0.0.1:51004/callback", // a native application takes any free port
		"http://localhost:51004/callback",
	} {
		fmt.Println(oauth.MatchRedirectURI(registered, requested, native, false), requested)
	}

	// Output:
	// true https://shop.example.com/callback
	// false https://shop.example.com/callback/
	// true http://127.0.0.1:51004/callback
	// false http://localhost:51004/callback
}

func ExampleValidateRedirectURI() {
	for _, uri := range []string{
		"https://shop.example.com/callback",
		"http://shop.example.com/callback",
		"https://shop.example.com/callback#top",
	} {
		if err := oauth.ValidateRedirectURI(uri, false); err != nil {
			fmt.Println(uri, err)
		}
	}

	err := oauth.ValidateRedirectURI("com.example.shop:/callback", false)
	fmt.Println(errors.Is(err, oauth.ErrRedirectPrivate))

	// Output:
	// http://shop.example.com/callback must be https: http is for loopback addresses only (RFC 8252 7.3)
	// https://shop.example.com/callback#top must not have a fragment (RFC 6749 3.1.2)
	// true
}

func ExampleScopes_Only() {
	asked, ok := oauth.ParseScopes("openid email email admin")
	if !ok {
		fmt.Println("not a scope parameter")
		return
	}

	allowed := oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail}
	given := asked.Only(allowed)

	fmt.Println(given)
	fmt.Println(given.Has("admin"))

	// Output:
	// openid email
	// false
}

func ExampleParsePrompt() {
	prompt, err := oauth.ParsePrompt("login consent")
	fmt.Println(prompt.Has(oauth.PromptConsent), err == nil)

	_, err = oauth.ParsePrompt("none login")
	fmt.Println(err.Code)

	// Output:
	// true true
	// invalid_request
}

func ExampleNormalizeUserCode() {
	for _, typed := range []string{"wdjb mjht", "WDJBMJHT", "wdjb-mjh"} {
		code, ok := oauth.NormalizeUserCode(typed)
		if !ok {
			fmt.Printf("%q is not a user code\n", typed)
			continue
		}

		fmt.Println(code)
	}

	// Output:
	// WDJB-MJHT
	// WDJB-MJHT
	// "wdjb-mjh" is not a user code
}

// Only the hash of a secret is stored.
func ExampleNewSecret() {
	secret, err := oauth.NewSecret(rand.Reader)
	if err != nil {
		panic(err)
	}

	stored := oauth.HashSecret(secret)

	fmt.Println(len(secret), len(stored))
	fmt.Println(oauth.SecretMatches(stored, secret))
	fmt.Println(oauth.SecretMatches(stored, "a guess"))

	// Output:
	// 43 32
	// true
	// false
}

// A caller reads the description. The cause is for the log.
func ExampleErrorf() {
	failure := oauth.Errorf(oauth.InvalidGrant, "The code has expired.")
	failure.Cause = errors.New("expired 12s ago")

	fmt.Println(failure.Status(), failure.Code, failure.Description)
	fmt.Println(errors.Unwrap(failure))

	// Output:
	// 400 invalid_grant The code has expired.
	// expired 12s ago
}
