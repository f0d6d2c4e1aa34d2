package appcache_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database/changes"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var _ appcache.Changes = (*changes.Watcher)(nil)

// herald tells of changes when a test says so.
type herald struct {
	mu          sync.Mutex
	told        time.Time
	subscribers []func(string)
}

func (h *herald) Subscribe(topic changes.Topic, f func(string)) {
	if topic == changes.Applications {
		h.subscribers = append(h.subscribers, f)
	}
}

func (h *herald) Told() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.told
}

func (h *herald) tell(clientID string) {
	for _, f := range h.subscribers {
		f(clientID)
	}
}

func (h *herald) toldUntil(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = at
}

func TestWhoeverIsToldOfChangesAsksLessOften(t *testing.T) {
	h := &herald{told: start}
	w := newWorld(t, appcache.Options{Changes: h}, "app_a")
	w.requireKnown(t, "app_a", 1)

	for range 11 {
		w.clock.Advance(5 * time.Second)
		h.toldUntil(w.clock.Now())
		w.requireKnown(t, "app_a", 0)
	}

	w.clock.Advance(5 * time.Second)
	h.toldUntil(w.clock.Now())
	w.requireKnown(t, "app_a", 1) // a minute is enough, whatever is told
}

func TestWhatIsToldIsForgottenAtOnce(t *testing.T) {
	h := &herald{told: start}
	w := newWorld(t, appcache.Options{Changes: h}, "app_a", "app_b")
	w.requireKnown(t, "app_a", 1)
	w.requireKnown(t, "app_b", 1)
	w.requireError(t, "app_n", directory.ErrNotFound, 1)
	h.tell("app_a")
	w.requireKnown(t, "app_a", 1)
	w.requireKnown(t, "app_b", 0)
	w.requireError(t, "app_n", directory.ErrNotFound, 0)
	h.tell("")
	w.requireKnown(t, "app_a", 1)
	w.requireKnown(t, "app_b", 1)
	w.requireError(t, "app_n", directory.ErrNotFound, 1)
}

// What is served is never older than the bound, or than an entry's own time.
func TestWhenNobodyTellsAnyMoreEntriesGoByTheirOwnTime(t *testing.T) {
	h := &herald{told: start}
	w := newWorld(t, appcache.Options{Changes: h}, "app_a")
	w.requireKnown(t, "app_a", 1)
	w.clock.Advance(10 * time.Second)
	h.toldUntil(w.clock.Now())
	w.clock.Advance(changes.Bound - time.Microsecond)
	w.requireKnown(t, "app_a", 0)
	w.clock.Advance(time.Microsecond)
	w.requireKnown(t, "app_a", 1)
	w.clock.Advance(5*time.Second - time.Microsecond)
	w.requireKnown(t, "app_a", 0)
	w.clock.Advance(time.Microsecond)
	w.requireKnown(t, "app_a", 1)
}

func TestWhileTheSourceIsAwayWhatWasToldCountsAsFresh(t *testing.T) {
	h := &herald{}
	w := newWorld(t, appcache.Options{Changes: h}, "app_a")
	w.requireKnown(t, "app_a", 1)
	w.clock.Advance(50 * time.Second)
	h.toldUntil(w.clock.Now()) // good until here, then database and news end
	w.fail(errAway)
	w.clock.Advance(changes.Bound)
	w.requireKnown(t, "app_a", 1)
	w.clock.Advance(time.Minute - changes.Bound - time.Microsecond)
	w.requireKnown(t, "app_a", 1)
	w.clock.Advance(time.Microsecond)
	w.requireError(t, "app_a", errAway, 1) // a minute after what was told
}

func TestOriginsAreForgottenWhenAnApplicationChanges(t *testing.T) {
	h := &herald{told: start}
	clock, source := testkit.NewClock(start), &registry{list: []string{"https://a.test"}}
	origins := appcache.NewOrigins(source, appcache.Options{Now: clock.Now, Changes: h})
	known := func(origin string) bool {
		t.Helper()
		ok, err := origins.Known(t.Context(), origin)
		require.NoError(t, err)
		return ok
	}

	require.True(t, known("https://a.test"))
	clock.Advance(changes.Bound - time.Microsecond)
	require.True(t, known("https://a.test"))
	require.EqualValues(t, 1, source.asked.Load())
	source.list = []string{"https://b.test"}
	h.tell("app_a")
	require.True(t, known("https://b.test"))
	require.False(t, known("https://a.test"))
	require.EqualValues(t, 2, source.asked.Load())

	h.tell("app_a")
	source.err = errAway
	_, err := origins.Known(t.Context(), "https://b.test")
	require.ErrorIs(t, err, errAway, "what was told to have changed is not served")
}

func TestWatchedLookUpsAllocateNothing(t *testing.T) {
	h := &herald{}
	w := newWorld(t, appcache.Options{Changes: h}, "app_a")
	w.requireKnown(t, "app_a", 1)
	w.clock.Advance(6 * time.Second)
	h.toldUntil(w.clock.Now())
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = w.Cache.Application(ctx, "app_a") }))
	require.EqualValues(t, 1, w.loads.Load())
}

func TestTheBoundIsNoLongerThanWithoutNews(t *testing.T) {
	w := newWorld(t, appcache.Options{}, "app_a")
	w.requireKnown(t, "app_a", 1)
	w.clock.Advance(changes.Bound)
	w.requireKnown(t, "app_a", 1)
}
