package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// TestZitadelsRelyingParty runs zitadel/oidc's own login and callback handlers,
// cookies and PKCE included, in a public application.
func TestZitadelsRelyingParty(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		mux := http.NewServeMux()
		application := httptest.NewServer(mux)
		t.Cleanup(application.Close)
		key := []byte("0123456789abcdef0123456789abcdef")
		cookies := httphelper.NewCookieHandler(key, key, httphelper.WithUnsecure())
		party, err := rp.NewRelyingPartyOIDC(t.Context(), s.Issuer, "native", "", application.URL+"/callback", []string{"openid", "profile"},
			rp.WithCookieHandler(cookies), rp.WithPKCE(cookies), rp.WithVerifierOpts(rp.WithSupportedSigningAlgorithms("RS256", "ES256")))
		require.NoError(t, err)
		mux.Handle("/login", rp.AuthURLHandler(func() string { return "a-state" }, party))
		signedIn := func(w http.ResponseWriter, _ *http.Request, tokens *oidc.Tokens[*oidc.IDTokenClaims], state string, _ rp.RelyingParty, info *oidc.UserInfo) {
			_, _ = w.Write([]byte(strings.Join([]string{"signed in", state, info.Name, tokens.IDTokenClaims.GetSubject(), info.Subject}, "|")))
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
	})
}
