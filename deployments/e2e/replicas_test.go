package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// at asks one replica of the token service, past the ingress.
func (s *system) at(t *testing.T, replica, path string, form url.Values, header http.Header) (int, map[string]any) {
	t.Helper()
	res, body := exchange(t, http.MethodPost, "http://"+s.addr[replica]+prefix+path, form.Encode(), header)
	var answer map[string]any
	if len(body) > 0 {
		require.NoError(t, json.Unmarshal(body, &answer), string(body))
	}
	return res.StatusCode, answer
}

// portal is the form of a request by that application.
func portal(more url.Values) url.Values {
	form := url.Values{"client_id": {"portal"}, "client_secret": {secrets["portal"]}}
	for name, v := range more {
		form[name] = v
	}
	return form
}

// TestTwoTokenProcessesBehaveAsOne requests from one replica and then from the other what
// must happen only once.
func TestTwoTokenProcessesBehaveAsOne(t *testing.T) {
	behaveAsOne(t, deploy(t, fleet{replicas: map[string]int{"token": 2}}))
}

func behaveAsOne(t *testing.T, s *system) {
	t.Helper()
	rp := newRelyingParty(t, s, "portal", "https://portal.test/callback", "openid", "offline_access", "api:read")
	browser := formbrowser.New(t, "https://")
	authorize := func(t *testing.T) url.Values {
		t.Helper()
		a := newAttempt()
		page := browser.Get(rp.begin(a))
		if page.Has("email") {
			page = page.Submit("Continue", url.Values{"email": {"ada@acme.test"}}).Submit("Sign in",
				url.Values{"password": {password}}).Submit("Allow", nil)
		}

		return portal(url.Values{
			"grant_type":    {"authorization_code"},
			"code":          {rp.code(t, s, a, page.Location())},
			"code_verifier": {a.verifier},
			"redirect_uri":  {rp.RedirectURL},
		})
	}

	redeem := func(t *testing.T) (access, refresh string) {
		t.Helper()
		status, tokens := s.at(t, "token", "/oauth/token", authorize(t), nil)
		require.Equal(t, http.StatusOK, status, tokens)
		return tokens["access_token"].(string), tokens["refresh_token"].(string)
	}

	refreshAt := func(t *testing.T, replica, token string) (int, map[string]any) {
		t.Helper()
		return s.at(t, replica, "/oauth/token",
			portal(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}), nil)
	}
	userinfoAt := func(t *testing.T, replica, token string) int {
		t.Helper()
		status, _ := s.at(t, replica, "/oauth/userinfo", nil, http.Header{"Authorization": {"Bearer " + token}})
		return status
	}

	t.Run("a code redeemed at one is a replay at the other and ends what it produced (RFC 6749 4.1.2)", func(t *testing.T) {
		form := authorize(t)
		status, tokens := s.at(t, "token", "/oauth/token", form, nil)
		require.Equal(t, http.StatusOK, status)
		access := tokens["access_token"].(string)
		require.Equal(t, http.StatusOK, userinfoAt(t, "token-2", access))
		status, refusal := s.at(t, "token-2", "/oauth/token", form, nil)
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, "invalid_grant", refusal["error"])

		for _, replica := range []string{"token", "token-2"} {
			require.Equal(t, http.StatusUnauthorized, userinfoAt(t, replica, access), replica)
		}
	})

	t.Run("a refresh token rotated at one gives the same successor at the other", func(t *testing.T) {
		_, first := redeem(t)
		status, one := refreshAt(t, "token", first)
		require.Equal(t, http.StatusOK, status)
		status, other := refreshAt(t, "token-2", first)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, one["refresh_token"], other["refresh_token"])

		status, third := refreshAt(t, "token-2", one["refresh_token"].(string))
		require.Equal(t, http.StatusOK, status)
		status, refusal := refreshAt(t, "token", first)
		require.Equal(t, http.StatusBadRequest, status, "the successor has been used: this is reuse (RFC 9700 4.14.2)")
		require.Equal(t, "invalid_grant", refusal["error"])
		status, _ = refreshAt(t, "token", third["refresh_token"].(string))
		require.Equal(t, http.StatusBadRequest, status, "the family is over")
		require.Equal(t, http.StatusUnauthorized, userinfoAt(t, "token", third["access_token"].(string)))
	})

	t.Run("twenty refreshes at both at once give one successor", func(t *testing.T) {
		_, first := redeem(t)
		successors := make([]any, 20)
		var group sync.WaitGroup
		for i := range successors {
			group.Go(func() {
				_, answer := refreshAt(t, []string{"token", "token-2"}[i%2], first)
				successors[i] = answer["refresh_token"]
			})
		}

		group.Wait()

		for _, successor := range successors {
			require.NotNil(t, successor)
			require.Equal(t, successors[0], successor)
		}
	})

	t.Run("an access token revoked at one is refused by the other (RFC 7009 2)", func(t *testing.T) {
		access, _ := redeem(t)
		status, _ := s.at(t, "token", "/oauth/revoke", portal(url.Values{"token": {access}}), nil)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, http.StatusUnauthorized, userinfoAt(t, "token-2", access))
		status, answer := s.at(t, "token-2", "/oauth/introspect", portal(url.Values{"token": {access}}), nil)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, map[string]any{"active": false}, answer)
	})

	t.Run("a device that polls both is told once to slow down, and has its tokens once", func(t *testing.T) {
		code := deviceCode(t, s, "portal")
		form := portal(url.Values{
			"grant_type":  {"urn:ietf:params:oauth:grant-type:device_code"},
			"device_code": {code.DeviceCode},
		})
		errorAt := func(replica string) any {
			_, answer := s.at(t, replica, "/oauth/token", form, nil)
			return answer["error"]
		}
		require.Equal(t, "authorization_pending", errorAt("token"))
		require.Equal(t, "slow_down", errorAt("token-2"), "RFC 8628 3.5")
		browser.Get(code.Complete).Submit("Allow", nil)
		require.Nil(t, errorAt("token"))
		require.Equal(t, "invalid_grant", errorAt("token-2"))
	})

	t.Run("both obey the operator", func(t *testing.T) { operatesReplicas(t, s) })
}

// codes is the answer to a device (RFC 8628 3.2).
type codes struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Complete   string `json:"verification_uri_complete"`
	Interval   int    `json:"interval"` // seconds
}

func deviceCode(t *testing.T, s *system, client string) codes {
	t.Helper()
	res, body := exchange(t, http.MethodPost, s.url("/oauth/device/authorize"),
		url.Values{"client_id": {client}}.Encode(), nil)
	require.Equal(t, http.StatusOK, res.StatusCode, string(body))
	var c codes
	require.NoError(t, json.Unmarshal(body, &c))
	return c
}

// TestSIGTERMUnderLoadLosesNothing ends one of two replicas while applications ask
// for tokens all the time and one request is half sent.
func TestSIGTERMUnderLoadLosesNothing(t *testing.T) {
	s := deploy(t, fleet{replicas: map[string]int{"token": 2}, env: []string{
		"PLATFORM_HTTP_DRAIN_DELAY=1s", "PLATFORM_HTTP_READ_TIMEOUT=60s", "PLATFORM_HTTP_REQUEST_DEADLINE=60s",
		"PLATFORM_HTTP_WRITE_TIMEOUT=90s",
	}})
	form := serviceForm()
	eventually := func(what string, condition func() bool) {
		t.Helper()
		require.Eventually(t, condition, 2*time.Minute, 5*time.Millisecond, what)
	}
	// Half a request to each replica.
	var halves []net.Conn
	for range 2 {
		halves = append(halves, half(t, s, form))
	}

	service := s.balancers["token"]
	eventually("the halves have arrived",
		func() bool { return service.inFlight("token") > 0 && service.inFlight("token-2") > 0 })

	load := startLoad(s, form)
	eventually("the load has begun", func() bool { return load.answered.Load() > 20 })

	s.procs["token-2"].terminate(t)
	eventually("it says that it leaves", func() bool {
		status, _ := fetch(t.Context(), "http://"+s.admin["token-2"]+"/readyz")
		return status != http.StatusOK
	})
	seen := load.answered.Load()
	eventually("the load goes on", func() bool { return load.answered.Load() > seen+50 })
	eventually("it no longer listens", func() bool {
		c, err := net.Dial("tcp", s.addr["token-2"])
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})

	for _, c := range halves {
		_, err := io.WriteString(c, form[len(form)/2:])
		require.NoError(t, err)
		answer, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Contains(t, string(answer), "HTTP/1.1 200 OK")
		require.Contains(t, string(answer), "access_token")
	}

	s.procs["token-2"].waitForEnd(t)
	seen = load.answered.Load()
	eventually("the other serves alone", func() bool { return load.answered.Load() > seen+20 })
	require.Zero(t, load.end(), "of %d requests; the first: %s", load.answered.Load(), load.said)
}

// half opens a connection to the ingress and sends the first half of a request.
func half(t *testing.T, s *system, form string) net.Conn {
	t.Helper()
	host := strings.TrimPrefix(s.Origin, "http://")
	c, err := net.Dial("tcp", host)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = fmt.Fprintf(c,
		"POST %s/oauth/token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		prefix, host, len(form), form[:len(form)/2])
	require.NoError(t, err)
	return c
}
