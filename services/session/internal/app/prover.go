package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// Prover checks passwords. It counts every attempt before it does the work.
type Prover struct {
	Credentials ports.Credentials
	Passwords   ports.Passwords
	Limits      ports.Limits
	Journal     *Journal
	// Guesses is how many wrong passwords may be sent by a browser that the account knows, and
	// how many by all other browsers together. An address, which may be a whole office, may
	// send addressFactor times as many.
	Guesses limits.Rule
	// LimitSecret keys the identifiers under which failures are counted. DeviceSecret signs
	// device cookies.
	LimitSecret  []byte
	DeviceSecret []byte
	Now          func() time.Time
	Random       io.Reader
}

// prove returns the account if the password is right, or nil. It counts the attempt before
// doing the work and gives it back if the password was right. Unknown, disabled and
// passwordless accounts cost the same statements and hashes as others and are blocked in
// the same way. It returns *limits.Error when it is too soon to guess again.
func (p *Prover) prove(ctx context.Context, email, typed string, b Browser) (*directory.Account, error) {
	g, now := p.guess(email, b), p.Now()
	taken, until, err := p.Limits.Take(ctx, now, g.claims...)
	if err != nil {
		return nil, fmt.Errorf("count the attempt: %w", err)
	}

	if err := limits.Refuse(limits.SignIn, until, now); err != nil {
		p.Journal.blocked(ctx, b, email)
		return nil, err
	}

	account, err := p.compare(ctx, email, typed, g.caller)
	switch {
	case err != nil: // the attempt revealed nothing
		return nil, errors.Join(err, limits.GiveBack(ctx, p.Limits, taken))
	case account == nil:
		return nil, p.failed(ctx, g, taken, b, email)
	}

	forgotten := func(t limits.Taken) bool {
		return slices.ContainsFunc(g.forget, func(k limits.Key) bool { return bytes.Equal(k, t.Key) })
	}

	if err := p.Limits.Clear(ctx, g.forget...); err != nil {
		return nil, fmt.Errorf("clear the limits: %w", err)
	}

	if err := limits.GiveBack(ctx, p.Limits, slices.DeleteFunc(taken, forgotten)); err != nil {
		return nil, err
	}

	return account, nil
}

// failed keeps the count of a failed attempt, except that repeated failures at one account
// count as one account tried.
func (p *Prover) failed(ctx context.Context, g guess, taken []limits.Taken, b Browser, email string) error {
	again := slices.ContainsFunc(taken,
		func(t limits.Taken) bool { return bytes.Equal(t.Key, g.pair) && t.Failures > 1 })
	counted := func(t limits.Taken) bool {
		return !slices.ContainsFunc(g.accounts, func(k limits.Key) bool { return bytes.Equal(k, t.Key) })
	}
	if again {
		if err := limits.GiveBack(ctx, p.Limits, slices.DeleteFunc(taken, counted)); err != nil {
			return err
		}
	}

	p.Journal.failed(ctx, b, email)

	return nil
}

// compare verifies the password. It makes one look-up and computes the same hashes whether
// or not the account exists.
func (p *Prover) compare(ctx context.Context, email, typed string, caller limits.Caller) (*directory.Account, error) {
	account, err := p.Credentials.Account(ctx, email)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return nil, fmt.Errorf("read the account: %w", err)
	}

	hash := ""
	if err == nil && account.User.Active {
		hash = account.PasswordHash
	}

	ok, err := p.Passwords.VerifyFrom(ctx, caller, hash, typed)
	if err != nil {
		return nil, fmt.Errorf("verify the password: %w", err)
	}

	if !ok {
		return nil, nil
	}

	return account, nil
}

// accepted finishes a sign-in's proof: it upgrades the password's hash if that is due, and records
// when the person signed in.
func (p *Prover) accepted(ctx context.Context, account *directory.Account, typed string, now time.Time) error {
	p.upgrade(ctx, account, typed)

	if err := p.Credentials.RecordLogin(ctx, account.User.ID, now); err != nil {
		return fmt.Errorf("record the sign-in: %w", err)
	}

	return nil
}

// upgrade rehashes a password whose hash has a different cost than new ones. Best effort: a
// failure doesn't fail the sign-in.
func (p *Prover) upgrade(ctx context.Context, account *directory.Account, typed string) {
	if !p.Passwords.NeedsUpgrade(account.PasswordHash) {
		return
	}

	hash, err := p.Passwords.HashFrom(ctx, p.owner(account.User.Email), typed)
	if err == nil {
		_, err = p.Credentials.SetPasswordHash(ctx, account.User.ID, account.PasswordHash, hash, p.Now())
	}
	if err != nil {
		p.Journal.Logger.WarnContext(ctx, "can't upgrade a password hash", "user", account.User.ID, "error", err)
	}
}

// replace gives an account another password. It returns false if the password was changed
// elsewhere since the account was read.
func (p *Prover) replace(ctx context.Context, account *directory.Account, password string) (bool, error) {
	hash, err := p.Passwords.HashFrom(ctx, p.owner(account.User.Email), password)
	if err != nil {
		return false, fmt.Errorf("hash the password: %w", err)
	}

	changed, err := p.Credentials.SetPasswordHash(ctx, account.User.ID, account.PasswordHash, hash, p.Now())
	if err != nil {
		return false, fmt.Errorf("write the password: %w", err)
	}

	return changed, nil
}

// hasPassword reports whether a person can sign in with a password.
func (p *Prover) hasPassword(ctx context.Context, email string) (bool, error) {
	account, err := p.Credentials.Account(ctx, email)
	if err != nil {
		return false, fmt.Errorf("read the account: %w", err)
	}
	return account.PasswordHash != "", nil
}

// known returns the account of an e-mail address if it has signed in with this browser before,
// and nil otherwise.
func (p *Prover) known(b Browser, email string) limits.Key {
	if !domain.KnowsDevice(p.DeviceSecret, b.Device, email, p.Now()) {
		return nil
	}
	return p.account(email)
}

// remember returns the device cookie by which an account knows the browser again.
func (p *Prover) remember(b Browser, email string, now time.Time) (string, error) {
	return domain.RememberDevice(p.Random, p.DeviceSecret, b.Device, email, now)
}

// account returns the key under which an account is known.
func (p *Prover) account(email string) limits.Key { return limits.Account(p.LimitSecret, email) }
