package app_test

import (
	"context"
	"sync"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// orders are the faults that a test orders, by the name of the method that they happen in. The
// fakes below are the real stores, but follow orders first.
type orders struct {
	mu     sync.Mutex
	fails  map[string]error
	firsts map[string]func()
}

// fail makes a method fail from now on, or no longer if err is nil.
func (o *orders) fail(method string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fails[method] = err
}

// before has something happen when a method is called next, such as another tab being faster.
func (o *orders) before(method string, f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.firsts[method] = f
}

func (o *orders) follow(method string) error {
	o.mu.Lock()
	first := o.firsts[method]
	delete(o.firsts, method)
	o.mu.Unlock()

	if first != nil {
		first()
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fails[method]
}

type flows struct {
	ports.Flows
	*orders
}

func (f flows) Flow(ctx context.Context, handle string) (*grants.Flow, error) {
	if err := f.follow("Flow"); err != nil {
		return nil, err
	}
	return f.Flows.Flow(ctx, handle)
}

func (f flows) SetLogin(ctx context.Context, id, email string, now time.Time) error {
	if err := f.follow("SetLogin"); err != nil {
		return err
	}
	return f.Flows.SetLogin(ctx, id, email, now)
}

func (f flows) Decide(
	ctx context.Context, id string, d grants.Decision, sessionID, tenantID string, now time.Time,
) error {
	if err := f.follow("Decide"); err != nil {
		return err
	}
	return f.Flows.Decide(ctx, id, d, sessionID, tenantID, now)
}

type choices struct {
	ports.Choices
	*orders
}

func (c choices) ChooseTenant(ctx context.Context, sessionID, tenantID string) (bool, error) {
	if err := c.follow("ChooseTenant"); err != nil {
		return false, err
	}
	return c.Choices.ChooseTenant(ctx, sessionID, tenantID)
}

func (c choices) Remember(ctx context.Context, key sessions.ConsentKey, scopes oauth.Scopes, at time.Time) error {
	if err := c.follow("Remember"); err != nil {
		return err
	}
	return c.Choices.Remember(ctx, key, scopes, at)
}

type renewals struct {
	ports.Renewals
	*orders
}

func (r renewals) Create(ctx context.Context, s *sessions.Session, renewal ports.Renewal) (bool, error) {
	if err := r.follow("Create"); err != nil {
		return false, err
	}
	return r.Renewals.Create(ctx, s, renewal)
}

func (r renewals) Renew(ctx context.Context, s *sessions.Session, renewal ports.Renewal) (bool, error) {
	if err := r.follow("Renew"); err != nil {
		return false, err
	}
	return r.Renewals.Renew(ctx, s, renewal)
}

func (r renewals) Leave(ctx context.Context, sessionID string, renewal ports.Renewal) (bool, error) {
	if err := r.follow("Leave"); err != nil {
		return false, err
	}
	return r.Renewals.Leave(ctx, sessionID, renewal)
}

type access struct {
	ports.Access
	*orders
}

func (a access) Withdraw(ctx context.Context, userID, clientID, tenantID string, at time.Time) (int, error) {
	if err := a.follow("Withdraw"); err != nil {
		return 0, err
	}
	return a.Access.Withdraw(ctx, userID, clientID, tenantID, at)
}

func (a access) End(ctx context.Context, sessionID string, at time.Time) error {
	if err := a.follow("End"); err != nil {
		return err
	}
	return a.Access.End(ctx, sessionID, at)
}

func (a access) EndElsewhere(ctx context.Context, userID, exceptSession string, at time.Time) error {
	if err := a.follow("EndElsewhere"); err != nil {
		return err
	}
	return a.Access.EndElsewhere(ctx, userID, exceptSession, at)
}

type credentials struct {
	ports.Credentials
	*orders
}

func (c credentials) Account(ctx context.Context, email string) (*directory.Account, error) {
	if err := c.follow("Account"); err != nil {
		return nil, err
	}
	return c.Credentials.Account(ctx, email)
}

func (c credentials) SetPasswordHash(
	ctx context.Context, userID, oldHash, newHash string, at time.Time,
) (bool, error) {
	if err := c.follow("SetPasswordHash"); err != nil {
		return false, err
	}
	return c.Credentials.SetPasswordHash(ctx, userID, oldHash, newHash, at)
}

func (c credentials) RecordLogin(ctx context.Context, userID string, at time.Time) error {
	if err := c.follow("RecordLogin"); err != nil {
		return err
	}
	return c.Credentials.RecordLogin(ctx, userID, at)
}

// passwords is a real hasher, whose slots may be full.
type passwords struct {
	ports.Passwords
	*orders
	dated bool // whether all hashes are of an old cost
}

func (p *passwords) VerifyFrom(ctx context.Context, caller limits.Caller, hash, typed string) (bool, error) {
	if err := p.follow("VerifyFrom"); err != nil {
		return false, err
	}
	return p.Passwords.VerifyFrom(ctx, caller, hash, typed)
}

func (p *passwords) HashFrom(ctx context.Context, caller limits.Caller, typed string) (string, error) {
	if err := p.follow("HashFrom"); err != nil {
		return "", err
	}
	return p.Passwords.HashFrom(ctx, caller, typed)
}

func (p *passwords) NeedsUpgrade(hash string) bool { return p.dated || p.Passwords.NeedsUpgrade(hash) }

// counts counts what it is asked to count and to take back.
type counts struct {
	ports.Limits
	*orders
	taken, given int
}

func (c *counts) Take(
	ctx context.Context, now time.Time, claims ...limits.Claim,
) (taken []limits.Taken, until time.Time, err error) {
	taken, until, err = c.Limits.Take(ctx, now, claims...)
	c.taken += len(taken)
	return taken, until, err
}

func (c *counts) GiveBack(ctx context.Context, taken ...limits.Taken) error {
	if err := c.follow("GiveBack"); err != nil {
		return err
	}

	c.given += len(taken)
	return c.Limits.GiveBack(ctx, taken...)
}

func (c *counts) Clear(ctx context.Context, keys ...limits.Key) error {
	if err := c.follow("Clear"); err != nil {
		return err
	}
	return c.Limits.Clear(ctx, keys...)
}

// trail keeps what it is told.
type trail struct {
	*orders
	mu     sync.Mutex
	events []audit.Event
}

var _ audit.Trail = (*trail)(nil)

func (t *trail) Record(_ context.Context, e audit.Event) error {
	if err := t.follow("Record"); err != nil {
		return err
	}

	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
	return nil
}

// kinds returns the kinds of the events since the last call.
func (t *trail) kinds() []audit.Kind {
	t.mu.Lock()
	defer t.mu.Unlock()

	var kinds []audit.Kind
	for _, e := range t.events {
		kinds = append(kinds, e.Kind)
	}

	t.events = nil
	return kinds
}
