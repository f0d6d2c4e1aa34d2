package app

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/domain"
)

// Publisher holds the published documents in memory. All fields are required.
type Publisher struct {
	Ring   *signing.Ring
	Origin string // origin of the platform's public URL
	Policy domain.Policy
	Now    func() time.Time

	refreshing sync.Mutex // prevents an older reading from replacing a newer one
	current    atomic.Pointer[domain.Documents]
}

// Refresh reads the schedule and rebuilds the documents. If the schedule can't be read, the
// last documents stay. If no key is published, the documents are removed, since a revoked
// key must not live on here. A new platform's first set isn't published until it is
// complete.
func (p *Publisher) Refresh(ctx context.Context) error {
	p.refreshing.Lock()
	defer p.refreshing.Unlock()

	if err := p.Ring.Load(ctx); err != nil {
		return err
	}

	published := p.Ring.Published()
	if p.current.Load() == nil && p.Policy.Incomplete(published, p.Now()) {
		return signing.ErrNoKey
	}

	documents, err := domain.NewDocuments(p.Origin, published)
	if err == nil || errors.Is(err, signing.ErrNoKey) {
		p.current.Store(documents)
	}

	return err
}

// MaxAge returns how long the published documents may be cached.
func (p *Publisher) MaxAge(d *domain.Documents) time.Duration {
	return p.Policy.MaxAge(d.Since, p.Now())
}

// Documents returns the published documents, or signing.ErrNoKey if there is no key yet.
func (p *Publisher) Documents() (*domain.Documents, error) {
	if documents := p.current.Load(); documents != nil {
		return documents, nil
	}
	return nil, signing.ErrNoKey
}
