package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// TestInputOfEveryKindEndsInAClear4xx sends what an attacker may send to every
// operation.
func TestInputOfEveryKindEndsInAClear4xx(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		big := strings.Repeat("a", 1<<20)
		inputs := map[string]string{
			"nothing":         "",
			"empty values":    "client_id=&redirect_uri=&response_type=&scope=&grant_type=&user_code=&csrf_token=",
			"doubled":         "client_id=web&client_id=web&grant_type=a&grant_type=b&user_code=x&user_code=y&email=a&email=b",
			"invalid UTF-8":   "client_id=%ff%fe&grant_type=%c3%28&user_code=%ff&email=%ff",
			"NUL":             "client_id=web%00&grant_type=%00&user_code=%00&password=%00",
			"broken escape":   "client_id=%zz&grant_type=%",
			"a megabyte":      "client_id=web&grant_type=" + big,
			"control letters": "client_id=%0d%0aSet-Cookie:x&grant_type=%0d%0a&state=%0d%0a",
		}
		for _, route := range api.Routes {
			path := strings.NewReplacer("{flow}", "flw_unknown", "{file}", "unknown.css", "{slug}",
				"unknown").Replace(route.Path)
			for name, input := range inputs {
				t.Run(route.OperationID+", "+name, func(t *testing.T) {
					status := send(t, route.Method, s.Origin+path, "application/x-www-form-urlencoded", input)
					if strings.HasPrefix(route.Path, "/account") && status == http.StatusSeeOther {
						return // no one is signed in, which is noticed first
					}

					if route.Service == "keys" || route.OperationID == "devicePage" ||
						strings.HasPrefix(route.OperationID, "logout") {
						require.Less(t, status, 500) // these need no input at all
						return
					}

					require.GreaterOrEqual(t, status, 400)
					require.Less(t, status, 500)
				})
			}

			if route.Method == http.MethodPost {
				for _, contentType := range []string{
					"application/json", "text/plain", "multipart/form-data; boundary=x", "nonsense",
				} {
					t.Run(route.OperationID+", "+contentType, func(t *testing.T) {
						status := send(t, route.Method, s.Origin+path, contentType,
							`{"grant_type":"client_credentials"}`)
						require.GreaterOrEqual(t, status, 400)
						require.Less(t, status, 500)
					})
				}
			}
		}
	})
}

func send(t *testing.T, method, target, contentType, input string) int {
	t.Helper()
	body := ""
	if method == http.MethodPost {
		body = input
	} else if input != "" {
		target += "?" + input
	}

	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	require.NoError(t, err)

	if method == http.MethodPost {
		r.Header.Set("Content-Type", contentType)
	}

	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())

	return res.StatusCode
}

// TestNothingRedirectsToAnUnregisteredURI tries what works on open redirectors.
func TestNothingRedirectsToAnUnregisteredURI(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		for _, uri := range []string{
			"https://evil.test/callback", "https://billing.test.evil.test/callback",
			"https://billing.test@evil.test/callback",
			"https://billing.test/callback/", "https://billing.test/callback?x=1", "https://BILLING.test/callback",
			"https://billing.test/callback#x",
			"//evil.test", "javascript:alert(1)", "http://billing.test/callback",
			"https://billing.test/callback/../evil", "https://billing.test:443/callback",
			"https://second.test/callback", " https://billing.test/callback",
			"https://billing.test/callback\\@evil.test",
		} {
			for _, more := range []url.Values{
				{},
				{"response_type": {"token"}},
				{"prompt": {"none"}},
				{"scope": {"nonsense"}},
				{"client_id": {"unknown"}},
			} {
				query := url.Values{
					"client_id":     {"web"},
					"response_type": {"code"},
					"scope":         {"openid"},
					"state":         {"s"},
					"redirect_uri":  {uri},
				}
				for name, v := range more {
					query[name] = v
				}

				page := formbrowser.New(t, "https://", "http://billing").Get(s.url("/oauth/authorize") + "?" +
					query.Encode())
				require.Equal(t, http.StatusBadRequest, page.Status, uri)
				require.Empty(t, page.Header.Get("Location"), uri)
				require.NotEmpty(t, page.H1(), "a browser gets a page")
			}
		}
	})
}
