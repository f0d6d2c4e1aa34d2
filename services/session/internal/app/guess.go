package app

import (
	"strconv"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

const (
	// accountSlowest bounds how long unknown browsers have to wait while an account is under
	// attack. They are slowed down but never locked out.
	accountSlowest = 30 * time.Second
	// mostInARow is how many consecutive wrong passwords an account may have, from one browser
	// that it knows or from all unknown browsers together (NIST SP 800-63B 5.2.2). Beyond that,
	// one attempt an hour is allowed, then one in two hours, down to one a day.
	mostInARow = 100
	// inARowFor is how long they are remembered after the last one, if no right password
	// intervenes. It bounds how many counts the table holds, since most addresses that attackers
	// try have no account, and no success will ever clear them.
	inARowFor = 30 * day
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
	// and its networks have tried; only the first failure of a pair counts there.
	pair     limits.Key
	accounts []limits.Key
}

// guess returns the claims that an attempt at an e-mail address counts toward. The address
// is in lower case and may belong to no account. A browser that the account knows has
// counters of its own and uses only those, so that an attacker can't lock out the owner.
func (p *Prover) guess(email string, b Browser) guess {
	if p.known(b, email) != nil {
		return p.knownGuess(email, domain.DeviceName(b.Device))
	}

	return p.strangersGuess(email, b)
}

func (p *Prover) knownGuess(email, device string) guess {
	subject := p.account(email)
	own := []limits.Claim{
		{Key: p.key("device", email, device), Rule: p.Guesses, Subject: subject},
		{Key: p.key("device_in_a_row", email, device), Rule: inARow(), Subject: subject},
	}

	return guess{
		caller: p.owner(email),
		claims: own,
		forget: []limits.Key{own[0].Key, own[1].Key, limits.AccountKeys(p.LimitSecret, email)[1]},
	}
}

// owner returns the caller for a person who has proved their identity, or whose browser the
// account knows.
func (p *Prover) owner(email string) limits.Caller {
	return limits.Caller{Known: string(p.account(email))}
}

// strangersGuess returns the guess of a browser that the account doesn't know. It counts
// account and address as a pair, account and site as a pair, the account over the
// configured window (15 minutes by default) and since its last success, the address with its
// surrounding networks, and how many accounts the address and its networks have tried today.
func (p *Prover) strangersGuess(email string, b Browser) guess {
	subject, keys := p.account(email), limits.AccountKeys(p.LimitSecret, email)
	account := p.Guesses
	account.MaxDelay = min(account.Longest(), accountSlowest)
	g := guess{
		caller: limits.Caller{Address: b.Address},
		pair:   p.key("account_address", email, limits.Address(b.Address)),
		claims: []limits.Claim{
			{Key: keys[0], Rule: account, Subject: subject},
			{Key: keys[1], Rule: inARow(), Subject: subject},
		},
	}

	g.claims = append(g.claims, limits.Claim{Key: g.pair, Rule: p.Guesses, Subject: subject})
	g.forget = []limits.Key{g.pair, keys[1]}

	if !b.Address.IsValid() {
		return g
	}

	site := limits.Claim{
		Key:     p.key("account_site", email, limits.Site(b.Address)),
		Rule:    times(p.Guesses, 4),
		Subject: subject,
	}

	g.claims = append(g.claims, site)
	g.forget = append(g.forget, site.Key)

	office := times(p.Guesses, addressFactor)
	g.claims = append(g.claims, limits.NetworkClaims(p.LimitSecret, b.Address, office, "sign_in", "address")...)

	// Each day has a key of its own, so that an office's failures don't add up over days.
	today := strconv.FormatInt(p.Now().Unix()/int64(day/time.Second), 10)
	many := limits.Rule{Failures: office.Failures, Window: day, MaxDelay: accountsSlowest}
	for _, c := range limits.NetworkClaims(p.LimitSecret, b.Address, many, "sign_in", "accounts", today) {
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

// inARow returns the rule for consecutive failures. A day of rest doesn't reset it, else an
// attacker could guess, pause and guess again for ever.
func inARow() limits.Rule {
	return limits.Rule{
		Failures: mostInARow,
		Window:   inARowFor,
		MinDelay: time.Hour,
		MaxDelay: day,
	}
}

func (p *Prover) key(of string, parts ...string) limits.Key {
	return limits.NewKey(p.LimitSecret, append([]string{"sign_in", of}, parts...)...)
}
