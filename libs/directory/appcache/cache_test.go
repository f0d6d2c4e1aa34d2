package appcache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// The cache takes the store as it is.
var _ appcache.Source = (*sqlstore.Applications)(nil)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a cache before a store that counts, waits and fails when told to.
type world struct {
	*appcache.Cache
	clock *testkit.Clock
	store appcache.Source
	loads atomic.Int64
	err   atomic.Value // injected
	gate  func(ctx context.Context) error
}

// errAway is what a database that cannot be reached answers.
var errAway = fmt.Errorf("wrapped: %w",
	&database.Error{Name: "applications.find", Kind: database.KindUnavailable, Err: errors.New("no route")})

var errBroken = errors.New("a mistake in a statement")

func (w *world) Application(ctx context.Context, clientID string) (*directory.Application, error) {
	w.loads.Add(1)

	if w.gate != nil {
		if err := w.gate(ctx); err != nil {
			return nil, err
		}
	}

	if f, ok := w.err.Load().(func() error); ok && f() != nil {
		return nil, f()
	}

	return w.store.Application(ctx, clientID)
}

func (w *world) fail(err error) { w.err.Store(func() error { return err }) }

func newWorld(t *testing.T, opts appcache.Options, clientIDs ...string) *world {
	t.Helper()
	db := testkit.SQLite(t)
	w := &world{clock: testkit.NewClock(start), store: sqlstore.NewApplications(db)}

	for _, id := range clientIDs {
		save(t, db, id, id)
	}

	opts.Now = w.clock.Now
	opts.Patience = time.Minute // a real minute: the clock of the test does not end it
	w.Cache = appcache.New(w, opts)
	return w
}

func save(t *testing.T, db *database.DB, clientID, name string) {
	t.Helper()
	require.NoError(t, sqlstore.NewOperator(db).Tx(t.Context(), func(out *sqlstore.Writer) error {
		return out.SaveApplication(t.Context(), &directory.Application{
			ClientID:   clientID,
			Name:       name,
			Type:       directory.Web,
			ScopeLevel: directory.Global,
		}, start)
	}))
}

// ask looks up an application and says how many loads that took.
func (w *world) ask(t *testing.T, clientID string) (app *directory.Application, loads int64, err error) {
	t.Helper()
	before := w.loads.Load()
	app, err = w.Cache.Application(t.Context(), clientID)
	return app, w.loads.Load() - before, err
}

func (w *world) requireKnown(t *testing.T, clientID string, wantLoads int64) {
	t.Helper()
	app, loads, err := w.ask(t, clientID)
	require.NoError(t, err)
	require.Equal(t, clientID, app.ClientID)
	require.Equal(t, wantLoads, loads, "loads")
}

func (w *world) requireError(t *testing.T, clientID string, want error, wantLoads int64) {
	t.Helper()
	app, loads, err := w.ask(t, clientID)
	require.ErrorIs(t, err, want)
	require.Nil(t, app)
	require.Equal(t, wantLoads, loads, "loads")
}

func TestAnApplicationIsReadOnceInItsTime(t *testing.T) {
	w := newWorld(t, appcache.Options{}, "app_a", "app_b")
	w.requireKnown(t, "app_a", 1)
	w.requireKnown(t, "app_a", 0)
	w.requireKnown(t, "app_b", 1)
	w.clock.Advance(5*time.Second - time.Microsecond)
	w.requireKnown(t, "app_a", 0)
	w.clock.Advance(time.Microsecond)
	w.requireKnown(t, "app_a", 1)
}

func TestThatThereIsNoneIsRememberedForAShorterTime(t *testing.T) {
	w := newWorld(t, appcache.Options{})
	w.requireError(t, "app_a", directory.ErrNotFound, 1)
	w.requireError(t, "app_a", directory.ErrNotFound, 0)
	w.clock.Advance(time.Second)
	w.requireError(t, "app_a", directory.ErrNotFound, 1)
}

func TestInventedIDsDoNotFillTheMemory(t *testing.T) {
	w := newWorld(t, appcache.Options{Size: 2}, "app_a", "app_b")
	w.requireKnown(t, "app_a", 1)
	w.requireKnown(t, "app_b", 1)

	for i := range 100 {
		w.requireError(t, fmt.Sprint("invented_", i), directory.ErrNotFound, 1)
	}

	w.requireKnown(t, "app_a", 0)
	w.requireKnown(t, "app_b", 0)
	again := int64(0)
	for i := range 100 {
		_, loads, err := w.ask(t, fmt.Sprint("invented_", i))
		require.ErrorIs(t, err, directory.ErrNotFound)
		again += loads
	}

	require.GreaterOrEqual(t, again, int64(98), "two are remembered at most")

	long := strings.Repeat("x", 129)
	w.requireError(t, long, directory.ErrNotFound, 1)
	w.requireError(t, long, directory.ErrNotFound, 1)
}

func TestNoMoreApplicationsThanSizeAreKept(t *testing.T) {
	w := newWorld(t, appcache.Options{Size: 2}, "app_a", "app_b", "app_c")
	total := int64(0)
	for range 2 {
		for _, id := range []string{"app_a", "app_b", "app_c"} {
			_, loads, err := w.ask(t, id)
			require.NoError(t, err)
			total += loads
		}
	}

	require.Greater(t, total, int64(3))
}

func TestErrorsAreNotRemembered(t *testing.T) {
	w := newWorld(t, appcache.Options{}, "app_a")
	for _, err := range []error{errAway, errBroken, context.DeadlineExceeded} {
		w.fail(err)
		w.requireError(t, "app_a", err, 1)
		w.requireError(t, "app_a", err, 1)
	}

	w.fail(nil)
	w.requireKnown(t, "app_a", 1)
}

func TestAKnownApplicationServesOnForAMinuteWhileTheSourceIsAway(t *testing.T) {
	for name, err := range map[string]error{"unreachable": errAway, "too slow": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, appcache.Options{}, "app_a")
			w.requireKnown(t, "app_a", 1)
			w.fail(err)
			w.clock.Advance(5 * time.Second)
			w.requireKnown(t, "app_a", 1)
			w.requireKnown(t, "app_a", 0) // the others don't wait for the source in vain
			w.clock.Advance(time.Second)
			w.requireKnown(t, "app_a", 1)
			w.clock.Advance(59*time.Second - time.Microsecond)
			w.requireKnown(t, "app_a", 1)
			w.clock.Advance(time.Microsecond)
			w.requireError(t, "app_a", err, 1)
			w.fail(nil)
			w.requireKnown(t, "app_a", 1)
		})
	}
}

func TestOnlyAnAbsentSourceExcusesAnOldAnswer(t *testing.T) {
	w := newWorld(t, appcache.Options{}, "app_a")
	w.requireKnown(t, "app_a", 1)
	w.clock.Advance(5 * time.Second)
	w.fail(errBroken)
	w.requireError(t, "app_a", errBroken, 1)
	w.fail(directory.ErrNotFound)
	w.requireError(t, "app_a", directory.ErrNotFound, 1)
	w.clock.Advance(time.Second)
	w.fail(errAway)
	w.requireError(t, "app_a", errAway, 1) // it was removed, so the old entry must not be used
}

func TestWhatIsInvalidatedIsReadAnew(t *testing.T) {
	for name, invalidate := range map[string]func(*world){
		"one": func(w *world) { w.Invalidate("app_a"); w.Invalidate("app_n") },
		"all": func(w *world) { w.InvalidateAll() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, appcache.Options{}, "app_a", "app_b")
			w.requireKnown(t, "app_a", 1)
			w.requireKnown(t, "app_b", 1)
			w.requireError(t, "app_n", directory.ErrNotFound, 1)
			invalidate(w)
			w.fail(errAway)
			w.requireError(t, "app_a", errAway, 1) // not even while the source is away
			w.fail(nil)
			w.requireKnown(t, "app_a", 1)
			w.requireError(t, "app_n", directory.ErrNotFound, 1)
		})
	}
}

func TestWhatWasReadBeforeAnInvalidationIsNotKept(t *testing.T) {
	for name, invalidate := range map[string]func(*appcache.Cache){
		"one": func(c *appcache.Cache) { c.Invalidate("app_a") },
		"all": func(c *appcache.Cache) { c.InvalidateAll() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, appcache.Options{}, "app_a")
			reading, goOn := make(chan struct{}, 1), make(chan struct{})
			w.gate = func(context.Context) error {
				if w.loads.Load() == 1 {
					reading <- struct{}{}
					<-goOn
				}
				return nil
			}

			before := make(chan error, 1)
			go func() {
				_, err := w.Cache.Application(context.WithoutCancel(t.Context()), "app_a")
				before <- err
			}()
			<-reading
			invalidate(w.Cache)
			w.requireKnown(t, "app_a", 1) // does not wait for the load that began before
			close(goOn)
			require.NoError(t, <-before)
			w.requireKnown(t, "app_a", 0)
			require.EqualValues(t, 2, w.loads.Load())
		})
	}
}

func TestManyWhoMissAtOnceMakeOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &directory.Application{ClientID: "app_a"}
		loads := 0
		cache := appcache.New(sourceFunc(func(context.Context, string) (*directory.Application, error) {
			loads++
			<-time.After(time.Second) // by the clock of the bubble
			return app, nil
		}), appcache.Options{})

		var done sync.WaitGroup
		for range 50 {
			done.Go(func() {
				got, err := cache.Application(t.Context(), "app_a")
				require.NoError(t, err)
				require.Same(t, app, got)
			})
		}

		done.Wait()
		require.Equal(t, 1, loads)
	})
}

func TestTheFirstCallerMayGiveUpAndTheOthersStillGetTheirAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &directory.Application{ClientID: "app_a"}
		cache := appcache.New(sourceFunc(func(ctx context.Context, _ string) (*directory.Application, error) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(time.Second):
				return app, nil
			}
		}), appcache.Options{})

		first, giveUp := context.WithCancel(t.Context())
		gaveUp := make(chan error, 1)
		go func() {
			_, err := cache.Application(first, "app_a")
			gaveUp <- err
		}()
		synctest.Wait()
		second := make(chan error, 1)
		go func() {
			_, err := cache.Application(t.Context(), "app_a")
			second <- err
		}()
		synctest.Wait()
		giveUp()
		require.ErrorIs(t, <-gaveUp, context.Canceled)
		require.NoError(t, <-second)
	})
}

// hanging never answers, and notes the end of a load.
func hanging(ended *atomic.Int64) sourceFunc {
	return func(ctx context.Context, _ string) (*directory.Application, error) {
		<-ctx.Done()
		ended.Add(1)
		return nil, ctx.Err()
	}
}

func TestALoadOfSomethingUnknownTakesAsLongAsACallerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int64
		cache := appcache.New(hanging(&ended), appcache.Options{})

		var done sync.WaitGroup
		for i := range 50 {
			done.Go(func() {
				began, patience := time.Now(), time.Duration(1+i)*time.Second
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				_, err := cache.Application(ctx, "app_a")
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, patience, time.Since(began))
			})
		}

		time.Sleep(49*time.Second + time.Millisecond)
		synctest.Wait()
		require.Zero(t, ended.Load(), "one caller still waits")
		done.Wait()
		synctest.Wait()
		require.EqualValues(t, 1, ended.Load(), "nobody waits, so the load must not go on")
	})
}

func TestAKnownApplicationIsServedAfterAMomentWhileTheSourceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &directory.Application{ClientID: "app_a"}
		var ended atomic.Int64
		source := sourceFunc(func(context.Context, string) (*directory.Application, error) { return app, nil })
		cache := appcache.New(sourceFunc(func(ctx context.Context, id string) (*directory.Application, error) {
			return source(ctx, id)
		}), appcache.Options{})
		_, err := cache.Application(t.Context(), "app_a")
		require.NoError(t, err)
		source = hanging(&ended)
		time.Sleep(5 * time.Second)

		began := time.Now()
		got, err := cache.Application(t.Context(), "app_a")
		require.NoError(t, err)
		require.Same(t, app, got)
		require.Equal(t, time.Second, time.Since(began))
		require.EqualValues(t, 1, ended.Load())
	})
}

func TestLookingUpWhatIsKnownAllocatesNothing(t *testing.T) {
	w := newWorld(t, appcache.Options{}, "app_a")
	w.requireKnown(t, "app_a", 1)
	w.requireError(t, "app_n", directory.ErrNotFound, 1)
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = w.Cache.Application(ctx, "app_a")
		_, _ = w.Cache.Application(ctx, "app_n")
	}))
}

func TestEverythingAtOnce(t *testing.T) {
	w := newWorld(t, appcache.Options{Size: 3}, "app_0", "app_1", "app_2", "app_3")
	var done sync.WaitGroup
	for i := range 50 {
		done.Go(func() {
			for n := range 100 {
				id := fmt.Sprint("app_", (i+n)%6)
				app, err := w.Cache.Application(t.Context(), id)
				if (err == nil && app.ClientID != id) || (err != nil && !errors.Is(err, directory.ErrNotFound)) {
					t.Errorf("%s: %v, %v", id, app, err) // not require: it must not end this goroutine
				}

				switch {
				case i == 0:
					w.Invalidate(id)
				case i == 1 && n%10 == 0:
					w.InvalidateAll()
				case i == 2:
					w.clock.Advance(100 * time.Millisecond)
				}
			}
		})
	}

	done.Wait()
}

type sourceFunc func(ctx context.Context, clientID string) (*directory.Application, error)

func (f sourceFunc) Application(ctx context.Context, clientID string) (*directory.Application, error) {
	return f(ctx, clientID)
}
