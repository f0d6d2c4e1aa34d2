package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kinds of requests.
const (
	kindMachine    = "client_credentials"
	kindAuthorize  = "authorize"
	kindCode       = "authorization_code"
	kindRefresh    = "refresh_token"
	kindUserinfo   = "userinfo"
	kindIntrospect = "introspection"
	kindJWKS       = "jwks"
)

var kinds = []string{kindMachine, kindAuthorize, kindCode, kindRefresh, kindUserinfo, kindIntrospect, kindJWKS}

// reply is the answer to one request as its client saw it.
type reply struct {
	kind   string
	began  time.Time
	took   time.Duration
	status int
	away   bool   // 503 temporarily_unavailable, or a redirect that says so (RFC 6749 4.1.2.1)
	broken string // what may never be
	body   map[string]any
	header http.Header
}

// ok reports whether the client has what it asked for.
func (a *reply) ok() bool { return a.broken == "" && !a.away && a.status < http.StatusBadRequest }

func (a *reply) text(name string) string { s, _ := a.body[name].(string); return s }

// period is the time from one fault to the next, and what was answered in it.
type period struct {
	name string

	mu      sync.Mutex
	answers []reply
	lost    []string // grants that should be there and are not
	burnt   int      // codes whose redemption was carried out and whose answer was lost
}

func (p *period) note(a *reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = append(p.answers, *a)
}

func (p *period) loses(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = append(p.lost, fmt.Sprintf(format, args...))
}

// count counts the answers to requests of a kind ("" for all) that began after a
// moment.
func (p *period) count(kind string, since time.Time, is func(*reply) bool) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.answers {
		if a := &p.answers[i]; (kind == "" || a.kind == kind) && a.began.After(since) && is(a) {
			n++
		}
	}
	return n
}

// well reports whether the last few requests of every kind, all begun after a
// moment, have succeeded, and when the last one before them had not.
func (p *period) well(since time.Time) (well bool, after time.Duration) {
	const inARow = 3
	p.mu.Lock()
	defer p.mu.Unlock()
	streak := map[string]int{}
	for i := range p.answers {
		a := &p.answers[i]
		switch {
		case !a.began.After(since):
		case a.ok():
			streak[a.kind]++
		default:
			streak[a.kind] = 0
			after = max(after, a.began.Add(a.took).Sub(since))
		}
	}

	return !slices.ContainsFunc(kinds, func(kind string) bool { return streak[kind] < inARow }), after
}

// burns records that an answer was lost on the way.
func (p *period) burns(a *reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.burnt++
	for i := range p.answers {
		if p.answers[i].began.Equal(a.began) {
			p.answers[i].broken = ""
		}
	}
}

// table prints the figures.
func table(periods []*period, results map[string]*result, said verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d tokens verified by another process with %d keys, which fetched the key set %d times\n",
		said.Tokens, said.Keys, said.Fetched)
	fmt.Fprintf(&b, "%-34s %8s %6s %5s %10s %9s %-24s %9s %5s %5s %5s\n", "fault", "requests", "2xx", "503",
		"median 503", "max 503", "longest", "recovery", "lost", "burnt", "wrong")
	ms := func(d time.Duration) string { return d.Round(time.Millisecond).String() }
	for _, p := range periods {
		away, longest := p.unavailable()
		recovery := "-"
		if r := results[p.name]; r != nil {
			recovery = ms(r.recovery)
		}

		median, most := time.Duration(0), time.Duration(0)
		if len(away) > 0 {
			median, most = away[len(away)/2], away[len(away)-1]
		}

		fmt.Fprintf(&b, "%-34s %8d %6d %5d %10s %9s %-24s %9s %5d %5d %5d\n", p.name, len(p.answers),
			p.count("", time.Time{}, (*reply).ok), len(away),
			ms(median), ms(most), ms(longest.took)+" "+longest.kind, recovery, len(p.lost),
			p.burnt, len(said.Wrong[p.name]))
	}

	return b.String()
}

// unavailable returns how long each 503 took, the shortest first, and how long the longest
// request took.
func (p *period) unavailable() (away []time.Duration, longest reply) {
	p.mu.Lock()
	defer p.mu.Unlock()

	for i := range p.answers {
		if p.answers[i].took > longest.took {
			longest = p.answers[i]
		}
		if p.answers[i].away {
			away = append(away, p.answers[i].took)
		}
	}

	slices.Sort(away)
	return away, longest
}
