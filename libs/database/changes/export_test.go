package changes

import (
	"context"
	"time"
)

// Quick makes everything happen as often as tests have time for.
func Quick(o Options) Options {
	o.pace = pace{
		look:        50 * time.Millisecond,
		beat:        200 * time.Millisecond,
		beatTimeout: 500 * time.Millisecond,
		firstRetry:  10 * time.Millisecond,
		deafRetry:   100 * time.Millisecond,
	}

	return o
}

// Promptly has nothing looked for again, so that only notifications tell.
func Promptly(o Options) Options {
	o = Quick(o)
	o.pace.look = time.Hour
	return o
}

// Listening reports whether notifications arrive.
func (w *Watcher) Listening() bool { return w.listening.Load() }

// Look looks once, for a watcher that does not run.
func (w *Watcher) Look(ctx context.Context) error { return w.lookOnce(ctx) }

// Hear is a notification that arrives.
func (w *Watcher) Hear(text string) { w.hear(text) }

// SawTransaction is a look that saw the transactions of a snapshot.
func (w *Watcher) SawTransaction(snapshot string) { w.seen = &snapshot }
