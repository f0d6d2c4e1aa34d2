package refusals

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/limits"
)

// Anyone can cause refusals, and each is a row. A process therefore writes a burst of these and
// then one a second, and for one address no more than its share in a minute, so that an
// attacker who fills the trail doesn't keep others out of it. Dropped refusals are still in the
// log.
const (
	burst = 100
	every = time.Second
	share = 30
)

// Trail records events.
type Trail interface {
	Record(ctx context.Context, e audit.Event) error
}

// Refusals records error pages in a trail.
type Refusals struct {
	kind   audit.Kind
	trail  Trail
	logger *slog.Logger
	now    func() time.Time

	counter *audit.Counter
	mu      sync.Mutex
	free    int
	last    time.Time
	taken   map[string]int // rows by address in the minute that began at since
	since   time.Time
}

// New returns a Refusals that records pages as events of kind.
func New(kind audit.Kind, trail Trail, logger *slog.Logger, now func() time.Time) *Refusals {
	return &Refusals{
		kind:    kind,
		trail:   trail,
		logger:  logger,
		now:     now,
		free:    burst,
		last:    now(),
		taken:   map[string]int{},
		since:   now(),
		counter: audit.NewCounter(0),
	}
}

// Page returns next wrapped to record each page, for [httpkit.Options].
func (f *Refusals) Page(
	next func(http.ResponseWriter, *http.Request, httpkit.Problem),
) func(http.ResponseWriter, *http.Request, httpkit.Problem) {
	return func(w http.ResponseWriter, r *http.Request, p httpkit.Problem) {
		f.Shown(r.Context(), p)
		next(w, r, p)
	}
}

// Shown records a page. The page is shown even if the trail can't be written.
func (f *Refusals) Shown(ctx context.Context, p httpkit.Problem) {
	e := audit.Event{Kind: f.kind, Reference: p.Reference, Detail: map[string]string{"status": strconv.Itoa(p.Status)}}
	if p.Code != "" {
		e.Detail["error"] = string(p.Code)
	}

	if p.Address.IsValid() {
		e.Address = p.Address.String()
	}

	if p.ForwardedIgnored {
		e.Detail["forwarded"] = audit.ForwardedIgnored
	}

	if err := f.Record(ctx, e); err != nil {
		f.logger.WarnContext(ctx, "can't record an error page in the audit trail", "reference",
			p.Reference, "error", err)
	}
}

// Record records a refusal of any kind, or drops it if there were too many.
func (f *Refusals) Record(ctx context.Context, e audit.Event) error {
	e, wanted := f.counter.Admit(e, f.now())
	if !wanted {
		return nil
	}

	address, _ := netip.ParseAddr(e.Address) // requests without an address share one share
	if !f.allowed(limits.Address(address)) {
		return nil
	}

	// The refusal may be of a request whose context has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return f.trail.Record(ctx, e)
}

func (f *Refusals) allowed(address string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if now.Sub(f.since) >= time.Minute {
		clear(f.taken)
		f.since = now
	}

	if more := int(now.Sub(f.last) / every); more > 0 {
		f.free = min(burst, f.free+more)
		f.last = now
	}

	if f.free == 0 || f.taken[address] == share {
		return false
	}

	f.free--
	f.taken[address]++
	return true
}
