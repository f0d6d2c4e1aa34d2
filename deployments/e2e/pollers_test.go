package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// poller is one device that asks for its tokens.
type poller struct {
	s        *system
	code     codes
	approved chan struct{} // closed once the person has allowed it
}

// poll asks once; without an error there are tokens.
func (p *poller) poll() (refusal string, err error) {
	res, err := http.PostForm(p.s.url("/oauth/token"), url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"native"},
		"device_code": {p.code.DeviceCode},
	})
	if err != nil {
		return "", err
	}

	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Error       string `json:"error"`
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("answer %d: %w", res.StatusCode, err)
	}

	if (res.StatusCode == http.StatusOK) != (answer.AccessToken != "") {
		return "", fmt.Errorf("answer %d with error %q", res.StatusCode, answer.Error)
	}

	return answer.Error, nil
}

// patient waits as RFC 8628 3.5 says, and must never be told to wait longer.
func (p *poller) patient() error {
	return p.until(time.Duration(p.code.Interval)*time.Second, "authorization_pending")
}

// stubborn never waits as it is told; it has its tokens with the first poll after
// the approval all the same.
func (p *poller) stubborn() error {
	return p.until(time.Second, "authorization_pending", "slow_down")
}

// repentant asks too early twice, is told so, and then waits as it was told to.
func (p *poller) repentant(repented func()) error {
	defer repented()
	wait := time.Duration(p.code.Interval) * time.Second
	for i, want := range []string{"authorization_pending", "slow_down", "slow_down"} {
		got, err := p.poll()
		if err != nil || got != want {
			return fmt.Errorf("poll %d: %q, not %q: %w", i+1, got, want, err)
		}
		if want == "slow_down" {
			wait += 5 * time.Second
		}

		<-time.After(time.Second)
	}

	<-time.After(wait - 2*time.Second) // since the one poll that was not too early

	if got, err := p.poll(); err != nil || got != "authorization_pending" {
		return fmt.Errorf("who obeys recovers: %q: %w", got, err)
	}

	repented()
	<-p.approved

	if got, err := p.poll(); err != nil || got != "" {
		return fmt.Errorf("an approved code is never held back: %q: %w", got, err)
	}

	return nil
}

// until polls again and again until there are tokens; only the refusals named are
// fine, and none once the person has allowed it.
func (p *poller) until(interval time.Duration, fine ...string) error {
	for {
		late := false
		select {
		case <-p.approved:
			late = true
		default:
		}

		got, err := p.poll()
		switch {
		case err != nil:
			return err
		case got == "":
			return nil
		case late || !strings.Contains(strings.Join(fine, " "), got):
			return fmt.Errorf("%s, approved: %t", got, late)
		}

		<-time.After(interval)
	}
}

// TestTwoHundredDevicesPollTwoReplicas polls with devices of which half are impatient.
// Every patient one gets its tokens without being slowed down, and none gets stuck.
func TestTwoHundredDevicesPollTwoReplicas(t *testing.T) {
	s := deploy(t, fleet{replicas: map[string]int{"token": 2}})
	pollers := make([]*poller, 200)
	for i := range pollers {
		pollers[i] = &poller{s: s, code: deviceCode(t, s, "native"), approved: make(chan struct{})}
	}

	browser := formbrowser.New(t)
	page := browser.Get(pollers[0].code.Complete)
	page = page.Submit("Continue", url.Values{"email": {"ada@acme.test"}}).Submit("Sign in",
		url.Values{"password": {password}})
	require.Contains(t, page.Text(), pollers[0].code.UserCode)

	var devices errgroup.Group
	var repenting sync.WaitGroup
	for i, p := range pollers {
		switch i % 4 {
		case 0, 1:
			devices.Go(p.patient)
		case 2:
			devices.Go(p.stubborn)
		default:
			repenting.Add(1)
			devices.Go(func() error { return p.repentant(sync.OnceFunc(repenting.Done)) })
		}
	}

	repenting.Wait()

	for _, p := range pollers {
		approve(t, s, browser, p.code.UserCode)
		close(p.approved)
	}

	require.NoError(t, devices.Wait())
}

// approve decides as a page of ours would with JSON.
func approve(t *testing.T, s *system, browser *formbrowser.Browser, userCode string) {
	t.Helper()
	verify := s.url("/oauth/device/verify")
	get, err := http.NewRequestWithContext(t.Context(), http.MethodGet, verify+"?user_code="+userCode, http.NoBody)
	require.NoError(t, err)
	var info struct {
		CSRFToken string `json:"csrf_token"`
	}
	answer(t, browser, get, &info)
	body, err := json.Marshal(map[string]string{
		"user_code":  userCode,
		"action":     "approve",
		"csrf_token": info.CSRFToken,
	})
	require.NoError(t, err)
	post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, verify, strings.NewReader(string(body)))
	require.NoError(t, err)
	post.Header.Set("Content-Type", "application/json")
	post.Header.Set("Origin", s.Origin)
	var decided struct {
		Status string `json:"status"`
	}
	answer(t, browser, post, &decided)
	require.Equal(t, "approved", decided.Status)
}

func answer(t *testing.T, browser *formbrowser.Browser, r *http.Request, into any) {
	t.Helper()
	res, err := browser.Client().Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.NoError(t, json.NewDecoder(res.Body).Decode(into))
}
