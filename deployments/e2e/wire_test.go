package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// TestMissingParametersAnswerThePublished422 pins the body to the letter.
func TestMissingParametersAnswerThePublished422(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		for _, c := range []struct {
			name, method, path, body string
			locs                     [][]string
		}{
			{
				"authorize", http.MethodGet, "/oauth/authorize?scope=openid", "",
				[][]string{{"query", "response_type"}, {"query", "client_id"}, {"query", "redirect_uri"}},
			},
			{"token", http.MethodPost, "/oauth/token", "client_id=web", [][]string{{"body", "grant_type"}}},
			{
				"device authorize", http.MethodPost, "/oauth/device/authorize", "client_id=",
				[][]string{{"body", "client_id"}},
			},
			{"device verify", http.MethodGet, "/oauth/device/verify", "", [][]string{{"query", "user_code"}}},
			{"userinfo", http.MethodGet, "/oauth/userinfo", "", [][]string{{"header", "authorization"}}},
		} {
			t.Run(c.name, func(t *testing.T) {
				res, body := exchange(t, c.method, s.url(c.path), c.body, nil)
				require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode)
				var answer struct {
					Detail []struct {
						Type, Msg string
						Loc       []string
						Input     any
					}
					Error       string
					Description string `json:"error_description"`
				}

				require.NoError(t, json.Unmarshal(body, &answer))
				require.Equal(t, "invalid_request", answer.Error, "an OAuth client can parse it too")
				require.NotEmpty(t, answer.Description)
				var locs [][]string
				for _, d := range answer.Detail {
					require.Equal(t, "missing", d.Type)
					require.Equal(t, "Field required", d.Msg)
					require.Nil(t, d.Input)
					locs = append(locs, d.Loc)
				}

				require.Equal(t, c.locs, locs, "all of them, in declaration order")
			})
		}
	})
}

// TestUnknownPathsAndMethods: the same words wherever they are asked.
func TestUnknownPathsAndMethods(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		for _, path := range []string{
			"/", "/nothing", prefix + "/oauth/nothing", prefix + "/oauth/token/", "/auth/nothing",
		} {
			res, body := exchange(t, http.MethodGet, s.Origin+path, "", nil)
			require.Equal(t, http.StatusNotFound, res.StatusCode, path)
			require.JSONEq(t, `{"detail":"Not Found"}`, string(body), path)
		}

		res, body := exchange(t, http.MethodGet, s.url("/oauth/token"), "", nil)
		require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode)
		require.JSONEq(t, `{"detail":"Method Not Allowed"}`, string(body))
	})
}

// TestPostedAuthorizationRequestsAndBearerTokens: the forms of a request that
// come as a body (OpenID Connect Core 3.1.2.1, RFC 6750 2.2).
func TestPostedAuthorizationRequestsAndBearerTokens(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		rp := newRelyingParty(t, s, "first", "https://second.test/callback", "openid", "email")
		a := newAttempt()
		begin, err := url.Parse(rp.begin(a))
		require.NoError(t, err)
		browser := formbrowser.New(t, "https://")
		tokens, id := rp.redeem(t, a,
			rp.code(t, s, a, signIn(browser.Post(s.url("/oauth/authorize"), begin.Query()), "ada@acme.test")))

		res, body := exchange(t, http.MethodPost, s.url("/oauth/userinfo"),
			url.Values{"access_token": {tokens.AccessToken}}.Encode(), nil)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Contains(t, string(body), id.Subject)

		res, _ = exchange(t, http.MethodPost, s.url("/oauth/userinfo"), "",
			http.Header{"Authorization": {"Bearer " + tokens.AccessToken}})
		require.Equal(t, http.StatusOK, res.StatusCode)

		res, _ = exchange(t, http.MethodGet, s.url("/oauth/userinfo")+"?access_token="+tokens.AccessToken, "", nil)
		require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode, "a token in the query is none")
	})
}

// TestMetadataIsTheSameInBothPlacesAndTrue: RFC 8414 3 and OpenID Connect
// Discovery 4; each endpoint it names is there.
func TestMetadataIsTheSameInBothPlacesAndTrue(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		_, openid := exchange(t, http.MethodGet, s.Issuer+"/.well-known/openid-configuration", "", nil)
		_, rfc8414 := exchange(t, http.MethodGet,
			s.Origin+"/.well-known/oauth-authorization-server"+strings.TrimPrefix(s.Issuer, s.Origin), "", nil)
		var metadata map[string]any
		require.NoError(t, json.Unmarshal(openid, &metadata))
		require.Equal(t, s.Issuer, metadata["issuer"])
		var other map[string]any
		require.NoError(t, json.Unmarshal(rfc8414, &other))
		require.Equal(t, metadata["token_endpoint"], other["token_endpoint"])

		for name, value := range metadata {
			if target, ok := value.(string); ok && (strings.HasSuffix(name, "_endpoint") || name == "jwks_uri") {
				res, _ := exchange(t, http.MethodGet, target, "", nil)
				require.NotEqual(t, http.StatusNotFound, res.StatusCode, name)
			}
		}
	})
}

// TestMetadataNamesEveryEndpointAndGrantThatIsServed: RFC 8414 2, and what its
// successors add; nothing that is there is left out.
func TestMetadataNamesEveryEndpointAndGrantThatIsServed(t *testing.T) {
	names := map[string]string{
		"jwks":            "jwks_uri",
		"authorize":       "authorization_endpoint",
		"token":           "token_endpoint",
		"userinfo":        "userinfo_endpoint",
		"revoke":          "revocation_endpoint",
		"introspect":      "introspection_endpoint",        // RFC 7009, RFC 7662
		"deviceAuthorize": "device_authorization_endpoint", // RFC 8628 4
		"logout":          "end_session_endpoint",          // OpenID Connect RP-Initiated Logout 1.0 2.1
	}

	onBothWays(t, func(t *testing.T, s *system) {
		_, body := exchange(t, http.MethodGet, s.Issuer+"/.well-known/openid-configuration", "", nil)
		var metadata map[string]any
		require.NoError(t, json.Unmarshal(body, &metadata))

		for _, route := range api.Routes {
			if name, ok := names[route.OperationID]; ok {
				require.Equal(t, s.Origin+route.Path, metadata[name], name)
				delete(metadata, name)
			}
		}

		for name := range metadata {
			require.False(t, strings.HasSuffix(name, "_endpoint"), "%s names no path of the contract", name)
		}

		known := 0
		for _, grant := range append(oauth.GrantTypes(), "password") {
			form := url.Values{
				"grant_type":    {string(grant)},
				"client_id":     {"service"},
				"client_secret": {secrets["service"]},
			}
			_, answer := exchange(t, http.MethodPost, s.url("/oauth/token"), form.Encode(), nil)
			served := !strings.Contains(string(answer), "unsupported_grant_type")
			require.Equal(t, served,
				slices.Contains(metadata["grant_types_supported"].([]any), any(string(grant))), grant)
			if served {
				known++
			}
		}

		require.Len(t, metadata["grant_types_supported"], known)
	})
}

func exchange(t *testing.T, method, target, body string, header http.Header) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	require.NoError(t, err)

	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}

	for name, values := range header {
		r.Header[name] = values
	}

	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)

	return res, answer
}
