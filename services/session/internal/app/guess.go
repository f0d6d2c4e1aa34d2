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
	// accountSlowest bounds how long an account that strangers guess at makes other
	// strangers wait: it slows them down and shuts none of them out.
	accountSlowest = 30 * time.Second
	// perDay is how many wrong passwords in a row an account may have, from one
	// browser that it knows or from all strangers together (NIST SP 800-63B 5.2.2).
	// Beyond it there is one attempt an hour, then one in two hours, up to a day.
	perDay = 100
	// accountsSlowest bounds how long an address waits that has tried many accounts:
	// behind it may be a university.
	accountsSlowest = time.Minute

	day = 24 * time.Hour
)

// guess is one attempt at an account's password.
type guess struct {
	caller limits.Caller
	claims []limits.Claim
	// What a right password does to the claims: these are forgotten, the others
	// given back.
	forget []limits.Key
	// pair counts this account and address, and accounts how many accounts the
	// address has tried: only the first failure of a pair is one of these.
	pair     limits.Key
	accounts []limits.Key
}

// guess returns what an attempt at an address (lower case, of a person or of none)
// counts for. A browser that the account knows has counts of its own and no other
// ones, so that a stranger cannot hold up the owner.
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

// owner is a caller that has proved to be a person, or whose browser did.
func (a *App) owner(email string) limits.Caller {
	return limits.Caller{Known: string(limits.Account(a.LimitSecret, email))}
}

// strangersGuess counts the pair of account and address, the pair of account and
// site, the account over a quarter of an hour and over a day, the address with the
// networks around it, and how many accounts the address and its site have tried
// today.
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

	// Days lie end to end, each with a key of its own, so that an office never adds
	// up.
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

// addressFactor is how many times more wrong passwords an address may have than
// an account: behind one may be a whole office.
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

// prove is the account behind a right password, or nil. It counts the attempt
// before it works and gives it back when the password was right: unknown, disabled
// and passwordless people cost the same statements and the same hashes as others
// and are blocked as they are. *limits.Error when it is too soon to guess again.
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
	case err != nil: // nothing was learned
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

// failed keeps the count, save that one account is tried but once.
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

// giveBackTimeout bounds what is still written for a request whose time is over.
const giveBackTimeout = 10 * time.Second

// giveBack also works for a request whose time is over.
func (a *App) giveBack(ctx context.Context, taken []limits.Taken) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	if err := a.Limits.GiveBack(ctx, taken...); err != nil {
		return fmt.Errorf("take the attempt back: %w", err)
	}

	return nil
}

// compare is one look-up and the same hashes for all accounts and for none.
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
