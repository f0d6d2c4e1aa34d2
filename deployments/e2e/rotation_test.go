package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// resource is a server that verifies tokens by itself. It keeps the key set for
// exactly as long as it may (RFC 9111 4.2) and does not fetch it again for a kid
// that it does not know: a rotation with a gap of a moment is a refusal here.
type resource struct {
	url string

	mu      sync.Mutex
	set     jose.JSONWebKeySet
	until   time.Time
	fetched int
	longest time.Duration // a max-age
}

func (r *resource) keys(ctx context.Context) (jose.JSONWebKeySet, error) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if time.Now().Before(r.until) {
		return r.set, nil
	}

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, http.NoBody)
	if err != nil {
		return r.set, err
	}

	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return r.set, err
	}

	defer func() { _ = res.Body.Close() }()
	_, seconds, _ := strings.Cut(res.Header.Get("Cache-Control"), "max-age=")
	age, err := strconv.Atoi(seconds)
	if err != nil || res.StatusCode != http.StatusOK {
		return r.set, fmt.Errorf("key set: %d, %s", res.StatusCode, res.Header)
	}

	var set jose.JSONWebKeySet
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil || len(set.Keys) == 0 {
		return r.set, fmt.Errorf("key set with %d keys: %w", len(set.Keys), err)
	}

	r.set, r.until, r.fetched = set, time.Now().Add(time.Duration(age)*time.Second), r.fetched+1
	r.longest = max(r.longest, time.Duration(age)*time.Second)
	return set, nil
}

// accept verifies a token and returns the kid it names.
func (r *resource) accept(ctx context.Context, token string) (kid string, err error) {
	set, err := r.keys(ctx)
	if err != nil {
		return "", err
	}

	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return "", err
	}

	kid = jws.Signatures[0].Header.KeyID
	keys := set.Key(kid)
	if len(keys) != 1 {
		return kid, fmt.Errorf("no key %s in the set", kid)
	}

	_, err = jws.Verify(keys[0].Key)
	return kid, err
}

// traffic is the load of applications that request tokens all the time, and of a resource
// that verifies each at once.
type traffic struct {
	resource *resource

	mu                 sync.Mutex
	kids               map[string]int // tokens by the key that signed them
	last               string         // a token
	tokens             []string       // one in a hundred
	failed, unverified []string       // why
	issued             atomic.Int64
}

func (l *traffic) run(ctx context.Context, s *system, form string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l.one(s, form)
	}
}

// one finishes even if the load ends meanwhile, and counts.
func (l *traffic) one(s *system, form string) {
	ctx := context.Background()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	res, err := http.Post(s.url("/oauth/token"), "application/x-www-form-urlencoded", strings.NewReader(form))
	if err == nil {
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err = json.Unmarshal(body, &answer); err == nil && answer.AccessToken == "" {
			err = fmt.Errorf("%d %s", res.StatusCode, body)
		}
	}

	n := l.issued.Add(1)

	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.failed = append(l.failed, err.Error())
		return
	}

	kid, err := l.resource.accept(ctx, answer.AccessToken)
	l.mu.Lock()
	defer l.mu.Unlock()

	if err != nil {
		l.unverified = append(l.unverified, err.Error())
		return
	}

	l.kids[kid]++
	l.last = answer.AccessToken

	if n%100 == 0 {
		l.tokens = append(l.tokens, answer.AccessToken)
	}
}

// generations counts the keys that have signed a fair share.
func (l *traffic) generations() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, tokens := range l.kids {
		if tokens >= 100 {
			n++
		}
	}
	return n
}

// TestRotationUnderLoad rotates the signing keys again and again, on schedule and on
// request, while two replicas issue tokens, and resources that cache the key set of two
// others for as long as they may verify them. Then it revokes the active key.
func TestRotationUnderLoad(t *testing.T) {
	s := deploy(t, fleet{replicas: map[string]int{"token": 2, "keys": 2}, env: []string{
		"PLATFORM_KEY_ROTATION=3100ms", "PLATFORM_KEY_PUBLISH_AHEAD=3s",
	}})
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {"service"},
		"client_secret": {secrets["service"]},
		"resource":      {billingAPI},
	}.Encode()

	load := &traffic{resource: &resource{url: s.url("/.well-known/jwks.json")}, kids: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	eventually := func(what string, condition func() bool) {
		t.Helper()
		require.Eventually(t, condition, 2*time.Minute, 5*time.Millisecond, what)
	}
	eventually("the platform is old enough for the key set to be cached", func() bool {
		_, err := load.resource.keys(ctx)
		return err == nil && load.resource.longest > 0
	})
	load.resource.fetched = 0
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() { load.run(ctx, s, form) })
	}

	begun := time.Now()
	eventually("the calendar rotates", func() bool { return load.generations() >= 2 })
	platform(t, s.operator, "key", "rotate", "--algorithm", "ES256", "--wait", "2m")
	eventually("and again", func() bool { return load.generations() >= 3 })
	stop()
	running.Wait()

	t.Logf("%d tokens in %s by %d keys (%v), two replicas; the key set of two others fetched %d times, kept for %s; failed %d, unverifiable %d",
		load.issued.Load(), time.Since(begun).Round(time.Millisecond), len(load.kids),
		slices.Sorted(maps.Values(load.kids)),
		load.resource.fetched, load.resource.longest, len(load.failed), len(load.unverified))
	require.Empty(t, load.failed)
	require.Empty(t, load.unverified)
	require.LessOrEqual(t, load.resource.fetched, int(time.Since(begun)/load.resource.longest)+1, "the set was kept")
	load.resource.until = time.Time{}

	for _, token := range load.tokens {
		_, err := load.resource.accept(t.Context(), token)
		require.NoError(t, err, "the former keys stay until what they signed has expired")
	}

	s.revokes(t, load, form)
}

// revokes revokes the active key, as after a leak.
func (s *system) revokes(t *testing.T, load *traffic, form string) {
	load.one(s, form)
	token := load.last
	kid, err := load.resource.accept(t.Context(), token)
	require.NoError(t, err)
	active := func(replica string) bool {
		_, answer := s.at(t, replica, "/oauth/introspect", url.Values{
			"token": {token}, "client_id": {"service"}, "client_secret": {secrets["service"]},
		}, nil)
		return answer["active"] == true
	}

	published := func(replica string) bool {
		status, body := fetch(t.Context(), "http://"+s.addr[replica]+prefix+"/.well-known/jwks.json")
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `"kid"`, "never an empty set")
		return strings.Contains(body, kid)
	}
	for _, replica := range []string{"token", "token-2"} {
		require.True(t, active(replica))
		require.True(t, published(strings.Replace(replica, "token", "keys", 1)))
	}

	var report struct {
		Done bool `json:"done"`
		Keys []struct {
			KID   string `json:"kid"`
			State string `json:"state"`
		} `json:"keys"`
	}

	begun := time.Now()
	require.NoError(t,
		json.Unmarshal([]byte(platform(t, s.operator, "key", "revoke", kid, "--wait", "2m", "--output", "json")), &report))
	require.True(t, report.Done)
	require.Equal(t, "active", report.Keys[0].State)
	require.NotEqual(t, kid, report.Keys[0].KID)

	for _, gone := range []func() bool{
		func() bool { return !active("token") }, func() bool { return !active("token-2") },
		func() bool { return !published("keys") }, func() bool { return !published("keys-2") },
	} {
		require.Eventually(t, gone, 2*time.Minute, 10*time.Millisecond, "a revoked key is honoured nowhere")
	}

	t.Logf("refused and unpublished by all replicas %s after the command began",
		time.Since(begun).Round(time.Millisecond))
	require.Eventually(t, func() bool {
		before := len(load.failed)
		load.one(s, form)
		return len(load.failed) == before
	}, 2*time.Minute, 50*time.Millisecond, "tokens are issued again")
}
