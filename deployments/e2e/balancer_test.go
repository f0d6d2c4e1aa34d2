package e2e

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// balancer sends the ingress's requests for one service to its ready replicas in turn.
type balancer struct {
	system *system
	next   atomic.Uint64

	mu       sync.Mutex
	replicas []string       // names of processes
	flying   map[string]int // requests that a replica has yet to answer
	known    map[string]readiness
}

func newBalancer(s *system) *balancer {
	return &balancer{system: s, flying: map[string]int{}, known: map[string]readiness{}}
}

func (b *balancer) add(replica string) { b.replicas = append(b.replicas, replica) }

// inFlight counts the requests that a replica has not answered yet.
func (b *balancer) inFlight(replica string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.flying[replica]
}

func (b *balancer) count(replica string, change int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flying[replica] += change
}

// ServeHTTP hands a request to the replica whose turn it is. A single one is not
// asked whether it is ready, because there is no other to send requests to.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	replica, transport := b.replicas[0], http.DefaultTransport // which checks the contract
	if len(b.replicas) > 1 {
		replica, transport = b.turn(r), streaming
	}

	b.count(replica, 1)
	defer b.count(replica, -1)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: b.system.addr[replica]})
	proxy.Transport = transport
	proxy.ServeHTTP(w, r)
}

// turn returns the next replica that was ready a moment ago.
func (b *balancer) turn(r *http.Request) string {
	first := b.next.Add(1)
	for i := range uint64(len(b.replicas)) {
		if replica := b.replicas[(first+i)%uint64(len(b.replicas))]; b.ready(r, replica) {
			return replica
		}
	}
	return b.replicas[0]
}

func (b *balancer) ready(r *http.Request, replica string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known := b.known[replica]; time.Since(known.at) < readinessAge {
		return known.ready
	}

	status, _ := fetch(r.Context(), "http://"+b.system.admin[replica]+"/readyz")
	b.known[replica] = readiness{ready: status == http.StatusOK, at: time.Now()}
	return status == http.StatusOK
}

// readiness is the last answer of a replica's /readyz.
type readiness struct {
	ready bool
	at    time.Time
}

// readinessAge is how long the ingress trusts that answer.
const readinessAge = 100 * time.Millisecond

// streaming passes a request's body on as it arrives.
var streaming = &http.Transport{MaxIdleConnsPerHost: 64}
