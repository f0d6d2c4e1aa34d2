package clientauth_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestParseFormRefusesTwoMethodsAtOnce(t *testing.T) {
	k := testKeys(t)
	token := sign(t, k.ec, jose.ES256, kid("e"), good())
	for name, tt := range map[string]struct {
		header []string
		form   clientauth.Form
		code   oauth.Code
	}{
		"an assertion and a secret (RFC 6749 2.3)": {
			form: clientauth.Form{AssertionType: clientauth.AssertionType, Assertion: token, ClientSecret: "s"},
			code: oauth.InvalidRequest,
		},
		"an assertion and Basic": {
			header: []string{basic("app:s")},
			form:   asserted(token),
			code:   oauth.InvalidRequest,
		},
		"an assertion and malformed Basic": {
			header: []string{"Basic ???"},
			form:   asserted(token),
			code:   oauth.InvalidRequest,
		},
		"an assertion without its type": {
			form: clientauth.Form{Assertion: token},
			code: oauth.InvalidRequest,
		},
		"the type without an assertion": {
			form: clientauth.Form{AssertionType: clientauth.AssertionType, ClientID: "app", ClientSecret: "s"},
			code: oauth.InvalidRequest,
		},
		"an assertion of another kind (RFC 7522)": {
			form: clientauth.Form{
				AssertionType: "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
				Assertion:     token,
			},
			code: oauth.InvalidClient,
		},
		"an assertion too long to be one": {
			form: asserted(token + string(make([]byte, 16<<10))),
			code: oauth.InvalidClient,
		},
		"an empty header beside it counts as absent": {header: []string{" "}, form: asserted(token)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := clientauth.ParseForm(tt.header, tt.form)
			if tt.code != "" {
				requireRefusal(t, err, tt.code, false)
				return
			}

			require.NoError(t, err)
			require.Equal(t, clientauth.PrivateKeyJWT, got.Method)
			require.Equal(t, clientID, got.ClientID)
			require.NotContains(t,
				got.GoString()+got.LogValue().String()+tt.form.GoString()+tt.form.String()+tt.form.LogValue().String(),
				token)
		})
	}
}

// RFC 9110 15.6.4.
func TestKeysThatAreAwayAreNoWrongKeys(t *testing.T) {
	k, db := testKeys(t), testkit.SQLite(t)
	app := application(func(a *directory.Application) { a.JWKSURI = "https://app.test/jwks" })
	a := authenticator(db, now)
	for range 5 {
		err := check(t, a, app, asserted(sign(t, k.ec, jose.ES256, kid("e"), good())))
		var wire *oauth.Error
		require.ErrorAs(t, err, &wire)
		require.Equal(t, oauth.TemporarilyUnavailable, wire.Code, "and it counts as no failure")
	}

	a.Keys = noKeys{}
	requireRefusal(t,
		check(t, a, app, asserted(sign(t, k.ec, jose.ES256, kid("e"), good().with(claims{"exp": now.Unix()})))),
		oauth.InvalidClient, false)
}

// RFC 6749 2.3.1: the endpoint is protected against brute force.
func TestFailuresAreCountedPerClientAndAddress(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		k := testKeys(t)
		app := application(func(a *directory.Application) { a.JWKS = k.set(t) })
		clock := testkit.NewClock(now)
		a := authenticator(db, now)
		a.Now = clock.Now
		try := func(from netip.Addr, secret string) error {
			c, err := clientauth.Parse(nil, clientID, secret)
			require.NoError(t, err)
			return a.Authenticate(t.Context(), app, c, from)
		}

		blocked := func(err error) time.Duration {
			var limit *limits.Error
			require.ErrorAs(t, err, &limit)
			return limit.RetryAfter()
		}

		for range 10 {
			require.NoError(t, try(address, "new"), "right secrets count for nothing")
		}

		for range 2 {
			requireRefusal(t, try(address, "wrong"), oauth.InvalidClient, false)
		}

		require.Equal(t, time.Second, blocked(try(address, "wrong")))
		require.Equal(t, time.Second, blocked(try(address, "wrong")), "while blocked nothing is added")
		require.NoError(t, try(address, "new"), "who knows the secret is never held up")
		require.NoError(t, check(t, a, app, asserted(sign(t, k.ec, jose.ES256, kid("e"), good()))))
		require.NotZero(t, blocked(check(t, a, app, asserted(sign(t, k.another, jose.ES256, kid("e"), good())))),
			"assertions are guesses too")
		requireRefusal(t, try(netip.MustParseAddr("192.0.2.2"), "wrong"), oauth.InvalidClient, false)
		other, err := clientauth.Parse(nil, "other", "wrong")
		require.NoError(t, err)
		var before, after int
		require.NoError(t, db.Get(t.Context(), "test.count", &before, `SELECT count(*) FROM limits`))

		for range 10 { // RFC 6819 4.3.1: refusing an unregistered client costs nothing
			requireRefusal(t, a.Authenticate(t.Context(), nil, other, address), oauth.InvalidClient, false)
		}

		require.NoError(t, db.Get(t.Context(), "test.count", &after, `SELECT count(*) FROM limits`))
		require.Equal(t, before, after)

		clock.Advance(time.Second)
		require.Equal(t, 2*time.Second, blocked(try(address, "wrong")), "the delay doubles")
		clock.Advance(2*time.Second + time.Minute)
		requireRefusal(t, try(address, "wrong"), oauth.InvalidClient, false)
	})
}

func TestAFailureThatCannotBeCountedGetsNoAnswer(t *testing.T) {
	db := testkit.SQLite(t)
	a := authenticator(db, now)
	_, err := db.Exec(t.Context(), "test", `DROP TABLE limits`)
	require.NoError(t, err)
	err = check(t, a, application(nil), clientauth.Form{ClientID: clientID, ClientSecret: "wrong"})
	var refusal *clientauth.Error
	require.False(t, errors.As(err, &refusal), "%v", err)
	require.Error(t, err)
	require.NoError(t, check(t, a, application(nil), clientauth.Form{ClientID: clientID, ClientSecret: "new"}))
}
