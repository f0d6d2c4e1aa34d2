package e2e

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

const (
	// faultDeadline is the request deadline of the services.
	faultDeadline = 3 * time.Second
	// faultNoise is what a busy machine may add to it, between client and service. A request
	// that nothing bounds would wait as long as its client does.
	faultNoise = 30 * time.Second
	// faultQuick is how soon most of those must hear of it who cannot be served.
	faultQuick = 500 * time.Millisecond
	// faultPatience is how long anything may take to show on a busy machine.
	faultPatience = 30 * time.Second
)

// fault is something that happens to what the services depend on.
type fault struct {
	name       string
	begin, end func(t *testing.T) // end nil: it passes by itself
	lasts      time.Duration      // at least
	fails      []string           // kinds that must hear of it, by 503
	goesOn     []string           // kinds that must not notice
	dependency string             // what /readyz must name; "": readiness does not depend on it
	slow       bool               // nothing tells at once that the dependency is away
	mayBurn    bool               // a code may be redeemed and the answer lost
	abrupt     bool               // begin cuts connections, which is not the fault meant
}

// Which requests work without which dependency.
var (
	withoutVault    = []string{kindAuthorize, kindUserinfo, kindIntrospect, kindJWKS}
	withVault       = []string{kindMachine, kindCode, kindRefresh}
	withoutDatabase = []string{kindMachine, kindJWKS}
	withDatabase    = []string{kindAuthorize, kindCode, kindRefresh, kindUserinfo, kindIntrospect}
)

// TestFaultsUnderLoad makes Vault and PostgreSQL fail in every way that we know, one after
// the other, while the five services get requests of all kinds. Another process judges the
// answers, unanswered requests are repeated, and no service is restarted.
func TestFaultsUnderLoad(t *testing.T) {
	w := newFaultyWorld(t)
	m := newMixture(t, w.s)
	m.db = w.superuser
	ctx, stop := context.WithCancel(t.Context())
	wait := m.run(ctx)
	t.Cleanup(func() { stop(); wait() })
	within(t, faultPatience, "the load runs", func() bool { well, _ := m.now.Load().well(time.Time{}); return well })

	results := map[string]*result{}
	for _, f := range slices.Concat(w.vaultFaults(), w.databaseFaults()) {
		if !t.Run(f.name, func(t *testing.T) { results[f.name] = m.suffers(t, f) }) {
			break
		}
	}

	stop()
	wait()
	m.keepsEverything()
	said := m.witness.verdict(t)
	t.Log(table(m.periods, results, said))
	m.judge(t, said)
	w.s.neverComplained(t)
}

// result is seen only after waiting for it.
type result struct{ recovery time.Duration }

// suffers takes the load through a fault, until all is well again.
func (m *mixture) suffers(t *testing.T, f fault) *result {
	p := m.enter(f.name)
	f.begin(t)
	begun, first := time.Now(), time.Time{}
	if f.abrupt {
		first = begun
	}

	heard := func() bool {
		for _, kind := range f.fails {
			if p.count(kind, time.Time{}, func(a *reply) bool { return a.away }) == 0 {
				return false
			}
		}

		for _, kind := range f.goesOn {
			if p.count(kind, begun, (*reply).ok) < 3 {
				return false
			}
		}

		return time.Since(begun) >= f.lasts
	}

	within(t, faultPatience, "the fault shows", heard)

	if !f.slow && len(f.fails) > 0 {
		within(t, faultPatience, "half of those who cannot be served hear so at once", func() bool {
			away, _ := p.unavailable()
			return len(away) == 0 || away[len(away)/2] < faultQuick
		})
	}

	if f.dependency != "" {
		within(t, faultPatience, "readiness names "+f.dependency, func() bool {
			status, body := fetch(t.Context(), "http://"+m.s.admin["token"]+"/readyz")
			return status == http.StatusServiceUnavailable && regexp.MustCompile(f.dependency).MatchString(body)
		})
	}

	if f.end != nil {
		f.end(t)
	}

	healed := time.Now()
	r := &result{}
	within(t, faultPatience, "all is well again", func() (well bool) { well, r.recovery = p.well(healed); return well })

	for name := range m.s.procs {
		m.s.procs[name].waitFor(t, m.s.admin[name], "/readyz")
	}

	m.again(t, p, f)

	for _, kind := range f.goesOn {
		require.Zero(t, p.count(kind, first, func(a *reply) bool { return !a.ok() }), "%s must not notice", kind)
	}

	return r
}

// again presents the codes whose redemption was not answered. Each is good exactly
// once, but for those that the database says were redeemed: the answer was lost on
// the way, and only their client could tell (RFC 6749 4.1.2).
func (m *mixture) again(t *testing.T, p *period, f fault) {
	t.Helper()
	m.mu.Lock()
	pending := m.pending
	m.pending = nil
	m.mu.Unlock()

	for n, r := range pending {
		consumed := m.consumed(t, r.code)
		a := m.redeem(r, nil)
		switch {
		case a.ok() && n < 3: // a second time is a replay, and ends the grant
			m.mu.Lock()
			m.held = slices.DeleteFunc(m.held, func(h holding) bool { return h.refresh == a.text("refresh_token") })
			m.mu.Unlock()
			if b := m.ask(kindCode, "token", http.MethodPost, "/oauth/token", r.form(),
				nil); b.text("error") != "invalid_grant" {
				p.loses("a code was redeemed twice: %d", b.status)
			}
		case a.ok():
		case a.text("error") == "invalid_grant" && consumed && f.mayBurn:
			p.burns(a)
		default:
			p.loses("a code of %s is not redeemed again: %d %v, consumed: %t", r.period.name,
				a.status, a.body, consumed)
		}
	}
}

// consumed reports whether the database has a code as redeemed.
func (m *mixture) consumed(t *testing.T, code string) (consumed bool) {
	t.Helper()
	require.NoError(t, m.db.Get(t.Context(), "test.consumed", &consumed,
		`SELECT consumed_at IS NOT NULL FROM authorization_codes WHERE code_hash = $1`, oauth.HashSecret(code)))
	return consumed
}

// keepsEverything uses every grant that a redemption has given, once the load is over.
func (m *mixture) keepsEverything() {
	var checks sync.WaitGroup
	work := make(chan *holding)
	for range 4 {
		checks.Go(func() {
			for h := range work {
				access := h.access
				if a := m.userinfo(h.person, access); !a.ok() {
					h.period.loses("userinfo of a grant of %s: %d %v", h.period.name, a.status, a.body)
				}
				if a := m.refresh(h); !a.ok() {
					h.period.loses("refresh of a grant of %s: %d %v", h.period.name, a.status, a.body)
				}
			}
		})
	}

	m.enter("afterwards")

	for i := range m.held {
		work <- &m.held[i]
	}

	for _, p := range m.people {
		work <- &p.own
	}

	close(work)
	checks.Wait()
}

// judge checks the whole run.
func (m *mixture) judge(t *testing.T, said verdict) {
	t.Helper()
	require.Empty(t, said.Wrong, "tokens that were not requested")
	require.Positive(t, said.Tokens)

	for _, p := range m.periods {
		require.Empty(t, p.lost, p.name)
		for i := range p.answers {
			a := &p.answers[i]
			require.Empty(t, a.broken, "%s during %s", a.kind, p.name)
			require.Less(t, a.took, faultDeadline+faultNoise, "%s during %s", a.kind, p.name)
		}
	}
}

// expected are the errors that a process may log: each says that a dependency is
// away, once.
var expected = []string{
	"vault is failing; refusing signatures until it recovers", "can't log in to vault; retrying",
	"can't ensure that signing keys are up to date; retrying", "can't ensure that the key set is up to date; retrying",
	"can't write the audit trail",
}

// neverComplained checks that each process still runs, and that its log has no unexpected
// errors.
func (s *system) neverComplained(t *testing.T) {
	t.Helper()

	for name, p := range s.procs {
		select {
		case <-p.done:
			require.Fail(t, "a process has ended", "%s: %v", name, p.err)
		default:
		}

		for line := range strings.Lines(p.out.String()) {
			require.NotContains(t, line, "panic", name)
			require.NotContains(t, line, "server_error", name)
			if strings.Contains(line, `"level":"ERROR"`) {
				require.True(t,
					slices.ContainsFunc(expected, func(e string) bool { return strings.Contains(line, `"msg":"`+e) }),
					"%s: %s", name, line)
			}
		}
	}
}
