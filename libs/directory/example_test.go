package directory_test

import (
	"fmt"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func ExampleParseEmail() {
	for _, typed := range []string{" Ada@Example.COM ", "ada@bücher.example", "ada.example.com"} {
		email, ok := directory.ParseEmail(typed)
		fmt.Printf("%q %t\n", email, ok)
	}

	// Output:
	// "ada@example.com" true
	// "ada@xn--bcher-kva.example" true
	// "" false
}

func ExampleReadableEmail() {
	fmt.Println(directory.ReadableEmail("ada@xn--bcher-kva.example"))

	// Output: ada@bücher.example
}

// Every service asks the same rule who may sign in and who may go on.
func ExampleEntry_Obstacle() {
	entry := directory.Entry{
		User:        &directory.User{Email: "ada@example.com", Active: true},
		Tenant:      &directory.Tenant{Slug: "acme", Active: true},
		Member:      true,
		Application: &directory.Application{Name: "Shop", Active: true},
		AMR:         []string{oauth.AMRPassword},
	}
	fmt.Printf("%q %t\n", entry.Obstacle(), entry.Stands())

	entry.Tenant.SSOOnly = true
	fmt.Println(entry.Obstacle())

	entry.User.Active = false
	fmt.Println(entry.Obstacle())

	// Output:
	// "" true
	// the tenant takes no passwords
	// no such person, or disabled
}

func ExampleApplication_AllowsRedirect() {
	app := directory.Application{
		Type:         directory.Native,
		RedirectURIs: []string{"http://127.0.0.1/callback"},
		Grants:       []oauth.GrantType{oauth.GrantAuthorizationCode},
		Active:       true,
	}

	fmt.Println(app.AllowsRedirect("http://127.0.0.1:51004/callback"))
	fmt.Println(app.AllowsRedirect("https://attacker.example/callback"))
	fmt.Println(app.AllowsGrant(oauth.GrantClientCredentials))

	// Output:
	// true
	// false
	// false
}
