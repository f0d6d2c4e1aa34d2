package load

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Step is one round of a worker, which repeats it. It returns an error for any response but
// the right one.
type Step func(ctx context.Context) error

// Result is the outcome of a run.
type Result struct {
	Requests   int           `json:"requests"` // steps that got the right response
	Errors     int           `json:"errors"`
	FirstError string        `json:"first_error,omitempty"`
	Elapsed    time.Duration `json:"elapsed_ns"`
	PerSecond  float64       `json:"per_second"`
	P50        time.Duration `json:"p50_ns"`
	P99        time.Duration `json:"p99_ns"`
	Max        time.Duration `json:"max_ns"`
}

// Run has every worker repeat its step until the context ends. Steps in progress then are
// finished.
func Run(ctx context.Context, workers []Step) Result {
	type share struct {
		took   []time.Duration
		errors int
		first  error
	}

	shares := make([]share, len(workers))
	start := time.Now()
	var running sync.WaitGroup
	for i, step := range workers {
		running.Go(func() {
			s := &shares[i]
			for ctx.Err() == nil {
				begin := time.Now()
				err := step(context.WithoutCancel(ctx))
				if err == nil {
					s.took = append(s.took, time.Since(begin))
					continue
				}

				s.errors++

				if s.first == nil {
					s.first = err
				}
			}
		})
	}

	running.Wait()
	r := Result{Elapsed: time.Since(start)}
	var took []time.Duration
	for _, s := range shares {
		took = append(took, s.took...)
		r.Errors += s.errors
		if s.first != nil && r.FirstError == "" {
			r.FirstError = s.first.Error()
		}
	}

	r.Requests = len(took)
	r.PerSecond = float64(r.Requests) / r.Elapsed.Seconds()
	slices.Sort(took)

	if len(took) > 0 {
		r.P50, r.P99, r.Max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}

	return r
}
