package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"github.com/zitadel/oidc/v3/pkg/client"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
	"github.com/zitadel/oidc/v3/pkg/client/tokenexchange"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// TestZitadelsLibrary runs what zitadel/oidc has for applications, relying parties
// and resource servers.
func TestZitadelsLibrary(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		browser := formbrowser.New(t, "https://")
		t.Run("a public application signs people in", func(t *testing.T) { zitadelSignsIn(t, s) })
		t.Run("a confidential one lives on its tokens", func(t *testing.T) { zitadelLivesOnTokens(t, s, browser) })
		t.Run("and has people approve devices (RFC 8628)", func(t *testing.T) { zitadelOnADevice(t, s, browser) })
		t.Run("a service has a key and no secret (RFC 7523)", func(t *testing.T) { zitadelWithAKey(t, s) })
	})
}

// zitadelSignsIn uses the library's own login and callback handlers, cookies and
// PKCE included.
func zitadelSignsIn(t *testing.T, s *system) {
	mux := http.NewServeMux()
	application := httptest.NewServer(mux)
	t.Cleanup(application.Close)
	key := []byte("0123456789abcdef0123456789abcdef")
	cookies := httphelper.NewCookieHandler(key, key, httphelper.WithUnsecure())
	party, err := rp.NewRelyingPartyOIDC(t.Context(), s.Issuer, "native", "", application.URL+"/callback",
		[]string{"openid", "profile"},
		rp.WithCookieHandler(cookies), rp.WithPKCE(cookies),
		rp.WithVerifierOpts(rp.WithSupportedSigningAlgorithms("RS256", "ES256")))
	require.NoError(t, err)
	mux.Handle("/login", rp.AuthURLHandler(func() string { return "a-state" }, party))
	signedIn := func(
		w http.ResponseWriter, _ *http.Request, tokens *oidc.Tokens[*oidc.IDTokenClaims], state string,
		_ rp.RelyingParty, info *oidc.UserInfo,
	) {
		_, _ = w.Write([]byte(strings.Join([]string{
			"signed in", state, info.Name, tokens.IDTokenClaims.GetSubject(), info.Subject,
		}, "|")))
	}
	mux.Handle("/callback", rp.CodeExchangeHandler(rp.UserinfoCallback(signedIn), party))

	browser := formbrowser.New(t)
	page := browser.Get(application.URL+"/login").
		Submit("Continue", url.Values{"email": {"ada@acme.test"}}).
		Submit("Sign in", url.Values{"password": {password}}).
		Submit("Allow", nil)
	parts := strings.Split(page.Text(), "|")
	require.Len(t, parts, 5, page.Text())
	require.Equal(t, []string{"signed in", "a-state", "Ada Lovelace"}, parts[:3])
	require.Equal(t, parts[3], parts[4], "userinfo speaks of the same person")
}

// zitadelsPortal is the application portal, which sends its secret by Basic and
// believes the algorithms that discovery announces.
func zitadelsPortal(t *testing.T, s *system, scopes ...string) rp.RelyingParty {
	t.Helper()
	party, err := rp.NewRelyingPartyOIDC(t.Context(), s.Issuer, "portal", secrets["portal"], portalCallback, scopes,
		rp.WithAuthStyle(oauth2.AuthStyleInHeader), rp.WithSigningAlgsFromDiscovery())
	require.NoError(t, err)
	return party
}

func zitadelLivesOnTokens(t *testing.T, s *system, browser *formbrowser.Browser) {
	party := zitadelsPortal(t, s, "openid", "profile", "offline_access")
	a := newAttempt()
	answer := signIn(browser.Get(rp.AuthURL(a.state, party,
		rp.WithCodeChallenge(oidc.NewSHACodeChallenge(a.verifier)),
		rp.AuthURLOpt(rp.WithURLParam("resource", billingAPI)))), "ada@acme.test")
	require.Equal(t, a.state, answer.Query().Get("state"))
	first, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), answer.Query().Get("code"), party,
		rp.WithCodeVerifier(a.verifier))
	require.NoError(t, err)
	tokens, err := rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), party, first.RefreshToken, "", "")
	require.NoError(t, err)
	require.NotEqual(t, first.RefreshToken, tokens.RefreshToken)
	require.Equal(t, first.IDTokenClaims.GetSubject(), tokens.IDTokenClaims.GetSubject(), "OpenID Connect Core 12.2")
	info, err := rp.Userinfo[*oidc.UserInfo](t.Context(), tokens.AccessToken, tokens.TokenType,
		tokens.IDTokenClaims.GetSubject(), party)
	require.NoError(t, err)
	require.Equal(t, "Ada Lovelace", info.Name)

	own, err := rp.ClientCredentials(t.Context(), zitadelsPortal(t, s, "api:read"),
		url.Values{"resource": {billingAPI}})
	require.NoError(t, err)
	require.Equal(t, "portal", claimsOf(t, own.AccessToken)["sub"])

	exchanger, err := tokenexchange.NewTokenExchangerClientCredentials(t.Context(), s.Issuer,
		"portal", secrets["portal"])
	require.NoError(t, err)
	exchanged, err := tokenexchange.ExchangeToken(t.Context(), exchanger, tokens.AccessToken, oidc.AccessTokenType,
		own.AccessToken, oidc.AccessTokenType,
		nil, []string{billingAPI}, []string{"openid"}, oidc.AccessTokenType)
	require.NoError(t, err)
	require.Equal(t, oidc.AccessTokenType, exchanged.IssuedTokenType, "RFC 8693 2.2.1")
	require.Equal(t, map[string]any{"sub": "portal"}, claimsOf(t, exchanged.AccessToken)["act"])

	server, err := rs.NewResourceServerClientCredentials(t.Context(), s.Issuer, "portal", secrets["portal"])
	require.NoError(t, err)
	active := func(token string) bool {
		told, err := rs.Introspect[*oidc.IntrospectionResponse](t.Context(), server, token)
		require.NoError(t, err)
		if told.Active && told.ClientID != told.Subject {
			require.Equal(t, info.Subject, told.Subject)
		}
		return told.Active
	}
	for _, token := range []string{tokens.AccessToken, tokens.RefreshToken, own.AccessToken, exchanged.AccessToken} {
		require.True(t, active(token))
	}

	require.NoError(t, rp.RevokeToken(t.Context(), party, tokens.RefreshToken, "refresh_token"))

	for _, token := range []string{tokens.AccessToken, tokens.RefreshToken, exchanged.AccessToken} {
		require.False(t, active(token), "RFC 7009 2.1: the whole grant")
	}

	_, err = rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), party, tokens.RefreshToken, "", "")
	require.ErrorIs(t, err, oidc.ErrInvalidGrant())
}

func zitadelOnADevice(t *testing.T, s *system, browser *formbrowser.Browser) {
	party := zitadelsPortal(t, s)
	code, err := rp.DeviceAuthorization(t.Context(), []string{"openid", "profile"}, party, nil)
	require.NoError(t, err)
	require.Equal(t, s.Origin+"/device", code.VerificationURI)
	require.Contains(t, browser.Get(code.VerificationURIComplete).Submit("Allow", nil).Text(), "Device connected")
	// which is its patience with an answer too
	tokens, err := rp.DeviceAccessToken(t.Context(), code.DeviceCode, time.Second, party)
	require.NoError(t, err)
	id, err := rp.VerifyTokens[*oidc.IDTokenClaims](t.Context(), tokens.AccessToken,
		tokens.IDToken, party.IDTokenVerifier())
	require.NoError(t, err)
	require.Equal(t, claimsOf(t, tokens.AccessToken)["sub"], id.GetSubject())
}

// shortLived signs assertions for a minute: the library's own last an hour, far
// longer than a jti is remembered, and are refused.
type shortLived struct {
	rs.ResourceServer
	id, issuer string
	signer     jose.Signer
}

func (k shortLived) AuthFn() (any, error) {
	assertion, err := client.SignedJWTProfileAssertion(k.id, []string{k.issuer}, time.Minute, k.signer)
	return client.ClientAssertionFormAuthorization(assertion), err
}

func zitadelWithAKey(t *testing.T, s *system) {
	m := newMachine(t, s, "zitadel-api")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: m.key}, nil)
	require.NoError(t, err)
	server, err := rs.NewResourceServerClientCredentials(t.Context(), s.Issuer, m.id, "")
	require.NoError(t, err)
	service := shortLived{
		ResourceServer: server,
		id:             m.id,
		issuer:         s.Issuer,
		signer:         signer,
	}

	authorize, err := service.AuthFn()
	require.NoError(t, err)
	request := &oidc.ClientCredentialsRequest{
		GrantType: oidc.GrantTypeClientCredentials,
		Scope:     oidc.SpaceDelimitedArray{"api:read"},
	}
	own, err := client.CallTokenEndpointWithAuthFn(t.Context(), request, authorize, service)
	require.NoError(t, err)
	_, err = client.CallTokenEndpointWithAuthFn(t.Context(), request, authorize, service)
	require.ErrorIs(t, err, oidc.ErrInvalidClient(), "RFC 7523 3: an assertion is good once")

	told, err := rs.Introspect[*oidc.IntrospectionResponse](t.Context(), service, own.AccessToken)
	require.NoError(t, err)
	require.True(t, told.Active)
	require.Equal(t, m.id, told.ClientID)
	exchanged, err := tokenexchange.ExchangeToken(t.Context(), service, own.AccessToken, oidc.AccessTokenType, "", "",
		nil, []string{ledgerAPI}, nil, "")
	require.NoError(t, err)
	require.Equal(t, ledgerAPI, claimsOf(t, exchanged.AccessToken)["aud"])

	long, err := tokenexchange.NewTokenExchangerJWTProfile(t.Context(), s.Issuer, m.id, signer)
	require.NoError(t, err)
	_, err = tokenexchange.ExchangeToken(t.Context(), long, own.AccessToken, oidc.AccessTokenType, "", "", nil,
		[]string{ledgerAPI}, nil, "")
	require.ErrorIs(t, err, oidc.ErrInvalidClient())
	require.ErrorContains(t, err, "exp of client_assertion is more than 5 minutes ahead")
}
