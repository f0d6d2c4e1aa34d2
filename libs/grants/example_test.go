package grants_test

import (
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

func ExampleConsentNeeded() {
	const callback = "https://shop.example.com/callback"
	shop := &directory.Application{Type: directory.Web}
	scope := oauth.Scopes{"openid", "email"}

	fmt.Println("the first time:", grants.ConsentNeeded(shop, callback, nil, scope, nil))
	fmt.Println("the second time:", grants.ConsentNeeded(shop, callback, nil, scope, scope))
	fmt.Println("for more than before:", grants.ConsentNeeded(shop, callback, nil, scope, oauth.Scopes{"openid"}))
	fmt.Println("prompt=consent:", grants.ConsentNeeded(shop, callback, oauth.Prompt{"consent"}, scope, scope))

	shop.FirstParty = true
	fmt.Println("for a first party:", grants.ConsentNeeded(shop, callback, nil, scope, nil))

	// Output:
	// the first time: true
	// the second time: false
	// for more than before: true
	// prompt=consent: true
	// for a first party: false
}

// A person who is signed in may still have to prove again who they are.
func ExampleFresh() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	session := &sessions.Session{AuthTime: now.Add(-time.Hour)}
	fiveMinutes := 300

	fmt.Println("nothing asked:", grants.Fresh(session, nil, nil, now, now))
	fmt.Println("max_age=300:", grants.Fresh(session, nil, &fiveMinutes, now, now))
	fmt.Println("prompt=login:", grants.Fresh(session, oauth.Prompt{"login"}, nil, now, now))

	// Output:
	// nothing asked: true
	// max_age=300: false
	// prompt=login: false
}

// A code can be redeemed only while the person, the tenant, the application and the session stand.
func ExampleRedeemable_Live() {
	code := grants.Redeemable{
		AuthorizationCode: grants.AuthorizationCode{AMR: []string{oauth.AMRPassword}},
		User:              directory.User{Active: true},
		Tenant:            directory.Tenant{Active: true},
		Behind:            grants.Behind{Member: true, AppActive: true},
		SessionLive:       true,
	}
	fmt.Println(code.Live())

	code.SessionLive = false // the person has signed out
	fmt.Println(code.Live())

	// Output:
	// true
	// false
}

// A device that polls too often has to wait longer (RFC 8628 3.5).
func ExampleDeviceCode_Poll() {
	code := grants.DeviceCode{Interval: 5 * time.Second}
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

	for _, after := range []time.Duration{0, time.Second, 12 * time.Second} {
		tooFast := code.Poll(start.Add(after))
		fmt.Println(after, tooFast, code.Interval)
	}

	// Output:
	// 0s false 5s
	// 1s true 10s
	// 12s false 10s
}
