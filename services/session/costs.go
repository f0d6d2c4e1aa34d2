package session

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

const (
	// costsEvery is how soon a replica notices that hashes of another cost were imported, or
	// that the last hash of a cost was replaced.
	costsEvery = 5 * time.Second
	// dear is how many times the work of a new hash a password check may take before a warning
	// is logged.
	dear = 4
)

var _ ports.Passwords = (*passwords)(nil)

// passwords is a hasher that knows which costs are stored, so that checking takes the same
// work for every account. It checks nothing before it has read them.
type passwords struct {
	*password.Hasher
	read   func(ctx context.Context) ([]string, error)
	logger *slog.Logger
	known  atomic.Bool
}

// VerifyFrom implements ports.Passwords.
func (p *passwords) VerifyFrom(ctx context.Context, caller limits.Caller, hash, typed string) (bool, error) {
	if !p.known.Load() {
		if err := p.learn(ctx); err != nil {
			return false, err
		}
	}

	return p.Hasher.VerifyFrom(ctx, caller, hash, typed)
}

// learn reads which costs are stored.
func (p *passwords) learn(ctx context.Context) error {
	stored, err := p.read(ctx)
	if err != nil {
		return fmt.Errorf("read the costs of password hashes: %w", err)
	}

	var costs []password.Params
	for _, s := range stored {
		cost, err := password.ParseCost(s)
		if err != nil { // a hash that can't be parsed is never checked
			continue
		}
		costs = append(costs, cost)
	}

	before := p.Costs()
	p.Stored(costs)
	p.known.Store(true)

	if after := p.Costs(); !slices.Equal(before, after) {
		p.tell(ctx, after)
	}

	return nil
}

// tell logs a warning if stored hashes make every sign-in slow.
func (p *passwords) tell(ctx context.Context, costs []password.Params) {
	var all uint64
	for _, cost := range costs {
		all += cost.Cost()
	}

	if own := p.New().Cost(); all > dear*own {
		p.logger.WarnContext(ctx,
			"password checks are slow: each computes one hash per stored cost, until people with old hashes have signed in or got a new password",
			"costs", fmt.Sprint(costs), "times_default", all/own)
	}
}

// Run keeps the known costs up to date until ctx is done. If reading them fails, the
// previous costs stay in use until the next attempt.
func (p *passwords) Run(ctx context.Context) error {
	ticker := time.NewTicker(costsEvery)
	defer ticker.Stop()
	failing := false
	for {
		err := p.learn(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			p.logger.WarnContext(ctx, "can't read the costs of stored password hashes", "error", err)
		}

		failing = err != nil

		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
