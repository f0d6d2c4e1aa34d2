package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// addressFactor is how many times more wrong passwords an address may have than
// an account: behind one may be a whole office.
const addressFactor = 10

// guess is one thing that wrong passwords are counted of.
type guess struct {
	key  limits.Key
	rule limits.Rule
}

// guesses are what a wrong password of an address (lower case, of whomever or
// nobody) counts for: the pair of account and client address, which comes first,
// the client address alone, and the account alone. From a browser that the
// account knows the last does not count, so that a stranger locks nobody out.
func (a *App) guesses(email string, b Browser) []guess {
	client := limits.Address(b.Address)
	office := a.Guesses
	office.Failures *= addressFactor
	counted := []guess{{limits.NewKey(a.LimitSecret, "sign_in", "account_address", email, client), a.Guesses}}
	if client != "" {
		counted = append(counted, guess{limits.NewKey(a.LimitSecret, "sign_in", "address", client), office})
	}
	if !domain.KnowsDevice(a.DeviceSecret, b.Device, email, a.Now()) {
		counted = append(counted, guess{limits.NewKey(a.LimitSecret, "sign_in", "account", email), a.Guesses})
	}
	return counted
}

// prove is the account behind a right password, or nil. It looks at the limits
// before it works and counts a failure afterwards: unknown, disabled and
// passwordless people cost the same statements and the same hash as others and
// are blocked as they are. *limits.Error when it is too soon to guess again.
func (a *App) prove(ctx context.Context, email, typed string, b Browser) (*directory.Account, error) {
	counted := a.guesses(email, b)
	keys := make([]limits.Key, len(counted))
	for i := range counted {
		keys[i] = counted[i].key
	}
	now := a.Now()
	until, err := a.Limits.Blocked(ctx, now, keys...)
	if err != nil {
		return nil, fmt.Errorf("look up the limits: %w", err)
	}
	if err := limits.Refuse(limits.SignIn, until, now); err != nil {
		a.tell(ctx, a.Refusals, b, audit.Event{Kind: audit.SignInBlocked, Account: a.pseudonym(email)})
		return nil, err
	}
	account, err := a.compare(ctx, email, typed, b)
	switch {
	case err != nil:
		return nil, err
	case account == nil:
		return nil, a.failed(ctx, counted, now, b, email)
	}
	if err := a.Limits.Clear(ctx, keys[0]); err != nil {
		return nil, fmt.Errorf("clear the limits: %w", err)
	}
	return account, nil
}

func (a *App) failed(ctx context.Context, counted []guess, now time.Time, b Browser, email string) error {
	for _, g := range counted {
		if _, err := a.Limits.Fail(ctx, now, g.rule, g.key); err != nil {
			return fmt.Errorf("count the failure: %w", err)
		}
	}
	a.record(ctx, b, audit.Event{Kind: audit.SignInFailed, Account: a.pseudonym(email)})
	return nil
}

// compare is one look-up and one hash for everybody.
func (a *App) compare(ctx context.Context, email, typed string, b Browser) (*directory.Account, error) {
	account, err := a.Accounts.Account(ctx, email)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return nil, fmt.Errorf("read the account: %w", err)
	}
	hash := ""
	if err == nil && account.User.Active {
		hash = account.PasswordHash
	}
	ok, err := a.Passwords.VerifyFrom(ctx, limits.Address(b.Address), hash, typed)
	if err != nil {
		return nil, fmt.Errorf("verify the password: %w", err)
	}
	if !ok {
		return nil, nil
	}
	return account, nil
}

// record adds to the trail. A trail that cannot be written stops nobody.
func (a *App) record(ctx context.Context, b Browser, e audit.Event) { a.tell(ctx, a.Trail, b, e) }

func (a *App) tell(ctx context.Context, trail ports.Trail, b Browser, e audit.Event) {
	if b.Address.IsValid() {
		e.Address = b.Address.String()
	}
	e.Reference = b.Reference
	if err := trail.Record(ctx, e); err != nil {
		a.Logger.WarnContext(ctx, "an event was not written to the audit trail", "kind", string(e.Kind), "error", err)
	}
}

// Refused notes that a form or flow was refused for not being its browser's.
func (a *App) Refused(ctx context.Context, b Browser, reason string) {
	a.tell(ctx, a.Refusals, b, audit.Event{Kind: audit.FormRefused, Detail: map[string]string{"error": reason}})
}
