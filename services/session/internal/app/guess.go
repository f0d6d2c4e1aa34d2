package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

const (
	// accountSlowest bounds how long unknown browsers have to wait while an account is under
	// attack. They are slowed down but never locked out.
	accountSlowest = 30 * time.Second
	// perDay is how many consecutive wrong passwords an account may have, from one browser that
	// it knows or from all unknown browsers together (NIST SP 800-63B 5.2.2). Beyond that, one
	// attempt an hour is allowed, then one in two hours, up to one a day.
	perDay = 100
	// accountsSlowest bounds how long an address that has tried many accounts has to wait,
	// since a whole university may be behind it.
	accountsSlowest = time.Minute

	day = 24 * time.Hour
)

// guess describes one attempt at an account's password.
type guess struct {
	caller limits.Caller
	claims []limits.Claim
	// forget lists the claims that a right password clears; the others are given back.
	forget []limits.Key
	// pair counts this account from this address. accounts count how many accounts the address
	// has tried; only the first failure of a pair counts there.
	pair     limits.Key
	accounts []limits.Key
}

// guess returns the claims that an attempt at an e-mail address counts toward. The address
// is in lower case and may belong to no account. A browser that the account knows has
// counters of its own and uses only those, so that an attacker can't lock out the owner.
func (a *App) guess(email string, b Browser) guess {
	if domain.KnowsDevice(a.DeviceSecret, b.Device, email, a.Now()) {
		return a.knownGuess(email, domain.DeviceName(b.Device))
	}

	return a.strangersGuess(email, b)
}

func (a *App) knownGuess(email, device string) guess {
	subject := limits.Account(a.LimitSecret, email)
	own := []limits.Claim{
		{Key: a.key("device", email, device), Rule: a.Guesses, Subject: subject},
		{Key: a.key("device_day", email, device), Rule: dayRule(), Subject: subject},
	}

	return guess{
		caller: a.owner(email),
		claims: own,
		forget: []limits.Key{own[0].Key, own[1].Key, limits.AccountKeys(a.LimitSecret, email)[1]},
	}
}

// owner returns the caller for a person who has proved their identity, or whose browser the
// account knows.
func (a *App) owner(email string) limits.Caller {
	return limits.Caller{Known: string(limits.Account(a.LimitSecret, email))}
}

// strangersGuess returns the guess of a browser that the account doesn't know. It counts
// account and address as a pair, account and site as a pair, the account over the
// configured window (15 minutes by default) and over a day, the address with its surrounding
// networks, and how many accounts the address and its site have tried today.
func (a *App) strangersGuess(email string, b Browser) guess {
	subject, keys := limits.Account(a.LimitSecret, email), limits.AccountKeys(a.LimitSecret, email)
	account := a.Guesses
	account.MaxDelay = min(account.Longest(), accountSlowest)
	g := guess{
		caller: limits.Caller{Address: b.Address},
		pair:   a.key("account_address", email, limits.Address(b.Address)),
		claims: []limits.Claim{
			{Key: keys[0], Rule: account, Subject: subject},
			{Key: keys[1], Rule: dayRule(), Subject: subject},
		},
	}

	g.claims = append(g.claims, limits.Claim{Key: g.pair, Rule: a.Guesses, Subject: subject})
	g.forget = []limits.Key{g.pair, keys[1]}

	if !b.Address.IsValid() {
		return g
	}

	site := limits.Claim{
		Key:     a.key("account_site", email, limits.Site(b.Address)),
		Rule:    times(a.Guesses, 4),
		Subject: subject,
	}

	g.claims = append(g.claims, site)
	g.forget = append(g.forget, site.Key)

	office := times(a.Guesses, addressFactor)
	g.claims = append(g.claims, limits.NetworkClaims(a.LimitSecret, b.Address, office, "sign_in", "address")...)

	// Each day has a key of its own, so that an office's failures don't add up over days.
	today := strconv.FormatInt(a.Now().Unix()/int64(day/time.Second), 10)
	many := limits.Rule{Failures: office.Failures, Window: day, MaxDelay: accountsSlowest}
	accounts := []limits.Claim{
		{Key: a.key("accounts", limits.Address(b.Address), today), Rule: many},
		{Key: a.key("accounts", limits.Site(b.Address), today), Rule: times(many, 4)},
	}
	for _, c := range accounts {
		g.claims = append(g.claims, c)
		g.accounts = append(g.accounts, c.Key)
	}

	return g
}

// addressFactor is how many times more wrong passwords an address may have than an account,
// since a whole office may be behind it.
const addressFactor = 10

func times(rule limits.Rule, factor int) limits.Rule {
	rule.Failures *= factor
	return rule
}

func dayRule() limits.Rule {
	return limits.Rule{
		Failures: perDay,
		Window:   day,
		MinDelay: time.Hour,
		MaxDelay: day,
	}
}

func (a *App) key(of string, parts ...string) limits.Key {
	return limits.NewKey(a.LimitSecret, append([]string{"sign_in", of}, parts...)...)
}

// prove returns the account if the password is right, or nil. It counts the attempt before
// doing the work and gives it back if the password was right. Unknown, disabled and
// passwordless accounts cost the same statements and hashes as others and are blocked in
// the same way. It returns *limits.Error when it is too soon to guess again.
func (a *App) prove(ctx context.Context, email, typed string, b Browser) (*directory.Account, error) {
	g, now := a.guess(email, b), a.Now()
	taken, until, err := a.Limits.Take(ctx, now, g.claims...)
	if err != nil {
		return nil, fmt.Errorf("count the attempt: %w", err)
	}

	if err := limits.Refuse(limits.SignIn, until, now); err != nil {
		a.tell(ctx, a.Refusals, b, audit.Event{Kind: audit.SignInBlocked, Account: a.pseudonym(email)})
		return nil, err
	}

	account, err := a.compare(ctx, email, typed, g.caller)
	switch {
	case err != nil: // the attempt revealed nothing
		return nil, errors.Join(err, a.giveBack(ctx, taken))
	case account == nil:
		return nil, a.failed(ctx, g, taken, b, email)
	}

	forgotten := func(t limits.Taken) bool {
		return slices.ContainsFunc(g.forget, func(k limits.Key) bool { return bytes.Equal(k, t.Key) })
	}

	if err := a.Limits.Clear(ctx, g.forget...); err != nil {
		return nil, fmt.Errorf("clear the limits: %w", err)
	}

	if err := a.giveBack(ctx, slices.DeleteFunc(taken, forgotten)); err != nil {
		return nil, err
	}

	return account, nil
}

// failed keeps the count of a failed attempt, except that repeated failures at one account
// count as one account tried.
func (a *App) failed(ctx context.Context, g guess, taken []limits.Taken, b Browser, email string) error {
	again := slices.ContainsFunc(taken,
		func(t limits.Taken) bool { return bytes.Equal(t.Key, g.pair) && t.Failures > 1 })
	counted := func(t limits.Taken) bool {
		return !slices.ContainsFunc(g.accounts, func(k limits.Key) bool { return bytes.Equal(k, t.Key) })
	}
	if again {
		if err := a.giveBack(ctx, slices.DeleteFunc(taken, counted)); err != nil {
			return err
		}
	}

	a.record(ctx, b, audit.Event{Kind: audit.SignInFailed, Account: a.pseudonym(email)})

	return nil
}

// giveBackTimeout bounds the writes for a request that was cancelled or timed out.
const giveBackTimeout = 10 * time.Second

// giveBack returns claims that turned out not to be failures. It works even if ctx is done.
func (a *App) giveBack(ctx context.Context, taken []limits.Taken) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	if err := a.Limits.GiveBack(ctx, taken...); err != nil {
		return fmt.Errorf("take the attempt back: %w", err)
	}

	return nil
}

// compare verifies the password. It makes one look-up and computes the same hashes whether
// or not the account exists.
func (a *App) compare(ctx context.Context, email, typed string, caller limits.Caller) (*directory.Account, error) {
	account, err := a.Accounts.Account(ctx, email)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return nil, fmt.Errorf("read the account: %w", err)
	}

	hash := ""
	if err == nil && account.User.Active {
		hash = account.PasswordHash
	}

	ok, err := a.Passwords.VerifyFrom(ctx, caller, hash, typed)
	if err != nil {
		return nil, fmt.Errorf("verify the password: %w", err)
	}

	if !ok {
		return nil, nil
	}

	return account, nil
}

// record adds an event to the audit trail. A failure is logged but doesn't fail the
// request.
func (a *App) record(ctx context.Context, b Browser, e audit.Event) { a.tell(ctx, a.Trail, b, e) }

func (a *App) tell(ctx context.Context, trail ports.Trail, b Browser, e audit.Event) {
	if b.Address.IsValid() {
		e.Address = b.Address.String()
	}

	e.Reference = b.Reference
	if err := trail.Record(ctx, e); err != nil {
		a.Logger.WarnContext(ctx, "can't write the audit trail", "kind", string(e.Kind), "error", err)
	}
}

// Refused records that a form or flow was refused because it belongs to another browser.
func (a *App) Refused(ctx context.Context, b Browser, reason string) {
	a.tell(ctx, a.Refusals, b, audit.Event{Kind: audit.FormRefused, Detail: map[string]string{"error": reason}})
}
