package session

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// dear is how many times the work of a new hash a password check may take before a warning is
// logged.
const dear = 4

var _ ports.Passwords = (*passwords)(nil)

// passwords is a hasher that knows which costs are stored, so that checking takes the same
// work for every account.
type passwords struct {
	*password.Hasher
	read   func(ctx context.Context) ([]string, error)
	logger *slog.Logger

	mu   sync.Mutex
	last []password.Params // costs as last read
}

// VerifyFrom implements ports.Passwords. It reads the stored costs for every check, after the
// caller has read the hash, rather than remembering them: a replica that hadn't heard of an
// import would do more work for an imported account than for an unknown one. Only a check that
// is underway while the account's own hash is replaced, and with it the last one of its cost,
// still does a hash more than others at that moment.
func (p *passwords) VerifyFrom(ctx context.Context, caller limits.Caller, hash, typed string) (bool, error) {
	stored, err := p.stored(ctx)
	if err != nil {
		return false, err
	}

	return p.VerifyAmong(ctx, caller, stored, hash, typed)
}

// stored reads which costs the stored hashes have.
func (p *passwords) stored(ctx context.Context) ([]password.Params, error) {
	texts, err := p.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the costs of password hashes: %w", err)
	}

	var costs []password.Params
	for _, text := range texts {
		cost, err := password.ParseCost(text)
		if err != nil { // a hash that can't be parsed is never checked
			continue
		}
		costs = append(costs, cost)
	}

	if p.changed(costs) {
		p.tell(ctx, costs)
	}

	return costs, nil
}

// changed reports whether costs differ from those that were last read.
func (p *passwords) changed(costs []password.Params) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	same := slices.Equal(p.last, costs)
	p.last = costs

	return !same
}

// tell logs a warning if stored hashes make every sign-in slow.
func (p *passwords) tell(ctx context.Context, costs []password.Params) {
	var all uint64
	for _, cost := range costs {
		all += cost.Cost()
	}

	own := p.New()
	if !slices.Contains(costs, own) {
		all += own.Cost()
	}

	if all > dear*own.Cost() {
		p.logger.WarnContext(ctx,
			"password checks are slow: each computes one hash per stored cost, until people with old hashes have signed in or got a new password",
			"costs", fmt.Sprint(costs), "times_default", all/own.Cost())
	}
}
