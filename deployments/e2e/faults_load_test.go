package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// person is a person who has signed in with a browser, and what an application
// holds for them.
type person struct {
	rp      *relyingParty
	subject string
	tenant  string
	cookies []*http.Cookie
	stock   chan redemption // codes to redeem
	access  atomic.Value    // string: a token that counts
	own     holding         // the grant that is refreshed all the time
}

// redemption is a code and what its application knows about it.
type redemption struct {
	person *person
	code   string
	a      attempt
	period *period // in which it was not answered
}

func (r *redemption) form() url.Values {
	return portal(url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {r.code},
		"code_verifier": {r.a.verifier},
		"redirect_uri":  {portalCallback},
	})
}

// holding holds the tokens from a redemption.
type holding struct {
	person          *person
	access, refresh string
	period          *period
}

// mixture sends requests of all kinds all the time.
type mixture struct {
	s       *system
	witness *witness
	people  []*person
	client  *http.Client
	db      *database.DB // past everything that may fail
	now     atomic.Pointer[period]
	periods []*period

	mu      sync.Mutex
	pending []redemption
	held    []holding
}

func newMixture(t *testing.T, s *system) *mixture {
	t.Helper()
	m := &mixture{s: s, witness: newWitness(t, s.Issuer), client: &http.Client{
		Timeout: time.Minute, // what hangs is to be seen
		Transport: &sampling{
			every:    8,
			contract: http.DefaultTransport,
			rest:     &http.Transport{MaxIdleConnsPerHost: 32},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}

	m.enter("none")
	m.people = []*person{m.arrives(t, "ada@acme.test", "acme"), m.arrives(t, "grace@globex.test", "globex")}
	return m
}

// sampling checks only some requests against the contract, because checking costs more
// than everything else.
type sampling struct {
	every          uint64
	contract, rest http.RoundTripper
	count          atomic.Uint64
}

func (s *sampling) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.count.Add(1)%s.every == 0 {
		return s.contract.RoundTrip(r)
	}
	return s.rest.RoundTrip(r)
}

// enter begins a period. A request counts in the one in which it was answered.
func (m *mixture) enter(name string) *period {
	p := &period{name: name}
	m.periods = append(m.periods, p)
	m.now.Store(p)
	return p
}

// arrives signs a person in and lets the portal hold a first grant of theirs.
func (m *mixture) arrives(t *testing.T, email, tenant string) *person {
	t.Helper()
	p := &person{
		rp:     newRelyingParty(t, m.s, "portal", portalCallback, "openid", "email", "offline_access"),
		tenant: tenant, stock: make(chan redemption, 8),
	}
	browser := formbrowser.New(t, "https://")
	a := newAttempt()
	page := browser.Get(p.rp.begin(a)).Submit("Continue", url.Values{"email": {email}}).Submit("Sign in",
		url.Values{"password": {password}})
	if tenant == "globex" { // one of two
		page = page.Submit("Globex", nil)
	}

	code := p.rp.code(t, m.s, a, page.Submit("Allow", nil).Location())
	tokens, id := p.rp.redeem(t, a, code)
	p.subject, p.cookies = id.Subject, browser.Cookies(m.s.url("/oauth/authorize"))
	p.access.Store(tokens.AccessToken)
	p.own = holding{p, tokens.AccessToken, tokens.RefreshToken, m.now.Load()}

	return p
}

// run keeps the load up until ctx ends and waits for what has begun.
func (m *mixture) run(ctx context.Context) (wait func()) {
	var workers sync.WaitGroup
	worker := func(pause time.Duration, one func()) {
		workers.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for ctx.Err() == nil {
				one()
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}

	const often, seldom = 40 * time.Millisecond, 160 * time.Millisecond
	for range 2 {
		worker(often, m.machine)
	}

	worker(often, m.jwks)

	for _, p := range m.people {
		worker(often, func() { m.authorize(ctx, p) }) // until there is stock
		worker(seldom, func() {
			select {
			case r := <-p.stock:
				m.redeem(r, m.later)
			case <-ctx.Done():
			}
		})

		worker(seldom, func() { m.refresh(&p.own) })
		worker(often, func() { m.userinfo(p, p.access.Load().(string)) })
		worker(often, func() { m.introspect(p) })
	}

	return workers.Wait
}

// ask sends a request and checks what must hold for every answer.
func (m *mixture) ask(kind, service, method, path string, form url.Values, prepare func(*http.Request)) *reply {
	a := &reply{kind: kind}
	body := io.Reader(http.NoBody)
	if form != nil {
		body = strings.NewReader(form.Encode())
	}

	r, err := http.NewRequest(method, "http://"+m.s.addr[service]+prefix+path, body)
	if err != nil {
		panic(err) // our own URL
	}

	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}

	if prepare != nil {
		prepare(r)
	}

	a.began = time.Now()
	m.send(a, r)
	a.took = time.Since(a.began)
	return a
}

func (m *mixture) send(a *reply, r *http.Request) {
	res, err := m.client.Do(r)
	if err != nil {
		a.broken = err.Error()
		return
	}

	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	a.status, a.header = res.StatusCode, res.Header
	_ = json.Unmarshal(raw, &a.body) // a redirect has none

	switch {
	case err != nil:
		a.broken = err.Error()
	case a.status == http.StatusServiceUnavailable:
		a.away = true
		if a.text("error") != "temporarily_unavailable" || a.header.Get("Retry-After") == "" {
			a.broken = fmt.Sprintf("a 503 with Retry-After %q: %s", a.header.Get("Retry-After"), raw)
		}
	case a.status == http.StatusSeeOther:
		location, err := res.Location()
		if err != nil {
			a.broken = err.Error()
			return
		}
		a.away = location.Query().Get("error") == "temporarily_unavailable"
	case a.status != http.StatusOK:
		a.broken = fmt.Sprintf("%d %s", a.status, raw)
	}
}

func (m *mixture) machine() {
	a := m.ask(kindMachine, "token", http.MethodPost, "/oauth/token", url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {"service"},
		"client_secret": {secrets["service"]},
		"resource":      {billingAPI},
	}, nil)

	p := m.now.Load()
	if a.ok() {
		m.witness.hears(testimony{p.name, "at+jwt", a.text("access_token"), map[string]any{
			"sub":            "service",
			"client_id":      "service",
			"aud":            billingAPI,
			"scope":          "api:read api:write",
			"platform_token": true,
		}})
	}

	p.note(a)
}

func (m *mixture) jwks() {
	a := m.ask(kindJWKS, "keys", http.MethodGet, "/.well-known/jwks.json", nil, nil)
	p := m.now.Load()
	if keys, _ := a.body["keys"].([]any); a.ok() && len(keys) < 2 {
		a.broken = fmt.Sprintf("a set of %d keys", len(keys))
	}
	p.note(a)
}

// authorize requests a code, which the session and the consent give at once.
func (m *mixture) authorize(ctx context.Context, who *person) {
	try := newAttempt()
	begin, err := url.Parse(who.rp.begin(try))
	if err != nil {
		panic(err) // our own URL
	}

	a := m.ask(kindAuthorize, "authorize", http.MethodGet, "/oauth/authorize?"+begin.RawQuery,
		nil, func(r *http.Request) {
			for _, cookie := range who.cookies {
				r.AddCookie(cookie)
			}
		})

	p := m.now.Load()
	redemption := redemption{person: who, a: try}
	if a.ok() {
		back, err := url.Parse(a.header.Get("Location"))
		if err == nil {
			redemption.code = back.Query().Get("code")
		}
		if redemption.code == "" || back.Query().Get("state") != try.state {
			a.broken = "no code, or the state of another"
		}
	}

	p.note(a)

	if a.ok() {
		select {
		case who.stock <- redemption:
		case <-ctx.Done():
		}
	}
}

// later keeps a code whose redemption was not answered.
func (m *mixture) later(r redemption) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = append(m.pending, r)
}

// redeem presents a code. If there is no answer, it is kept for later.
func (m *mixture) redeem(r redemption, later func(redemption)) *reply {
	a := m.ask(kindCode, "token", http.MethodPost, "/oauth/token", r.form(), nil)
	p := m.now.Load()
	if a.ok() {
		m.tokens(p, r.person, a, r.a.nonce)
		m.mu.Lock()
		m.held = append(m.held, holding{r.person, a.text("access_token"), a.text("refresh_token"), p})
		m.mu.Unlock()
	} else if later != nil {
		r.period = p
		later(r)
	}

	p.note(a)
	return a
}

// refresh rotates, and tries again the next time if there was no answer.
func (m *mixture) refresh(h *holding) *reply {
	a := m.ask(kindRefresh, "token", http.MethodPost, "/oauth/token",
		portal(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {h.refresh}}), nil)
	p := m.now.Load()
	if a.ok() {
		m.tokens(p, h.person, a, nil)
		if a.text("refresh_token") == h.refresh || a.text("refresh_token") == "" {
			a.broken = "no new refresh token"
		}
		h.access, h.refresh = a.text("access_token"), a.text("refresh_token")
		h.person.access.Store(h.access)
	}

	p.note(a)
	return a
}

// tokens sends a person's tokens to the witness.
func (m *mixture) tokens(p *period, who *person, a *reply, nonce any) {
	m.witness.hears(testimony{p.name, "at+jwt", a.text("access_token"), map[string]any{
		"sub":         who.subject,
		"client_id":   "portal",
		"aud":         m.s.Issuer,
		"scope":       "openid email offline_access",
		"tenant_slug": who.tenant,
	}})

	m.witness.hears(testimony{p.name, "JWT", a.text("id_token"), map[string]any{
		"sub":         who.subject,
		"azp":         "portal",
		"aud":         "portal",
		"tenant_slug": who.tenant,
		"nonce":       nonce,
	}})
}

func (m *mixture) userinfo(who *person, token string) *reply {
	a := m.ask(kindUserinfo, "token", http.MethodGet, "/oauth/userinfo", nil,
		func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) })
	p := m.now.Load()
	if a.ok() && a.text("sub") != who.subject {
		a.broken = "userinfo of another"
	}

	p.note(a)
	return a
}

func (m *mixture) introspect(who *person) {
	a := m.ask(kindIntrospect, "token", http.MethodPost, "/oauth/introspect",
		portal(url.Values{"token": {who.access.Load().(string)}}), nil)
	p := m.now.Load()
	if a.ok() && (a.body["active"] != true || a.text("sub") != who.subject) {
		a.broken = fmt.Sprintf("introspection says %v", a.body)
	}
	p.note(a)
}

// within waits until the answers meet a condition.
func within(t *testing.T, patience time.Duration, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 10*time.Millisecond, what)
}
