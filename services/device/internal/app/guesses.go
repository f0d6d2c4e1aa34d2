package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/device/internal/domain"
)

// guessed names what wrong guesses are counted of.
type guessed struct {
	name string
	key  limits.Key
	rule limits.Rule
}

// find looks a typed code up for somebody who may still guess, and counts it where
// it was wrong (RFC 8628 5.1). Finding one resets nothing: an attacker has codes of
// his own.
func (d *Device) find(ctx context.Context, typed string, visit *Visit, visitor Visitor) error {
	userCode, ok := oauth.NormalizeUserCode(typed)
	if !ok { // no code at all, so no guess either
		return errUnknownCode()
	}
	if err := d.mayGuess(ctx, visit, visitor); err != nil {
		return err
	}
	var wrong bool
	var err error
	visit.Code, visit.App, wrong, err = d.code(ctx, userCode, visit)
	if !wrong {
		return err
	}
	// If it cannot be counted, the guess gets no answer.
	if uncounted := d.countGuess(ctx, visit, visitor); uncounted != nil {
		return fmt.Errorf("count a wrong user code: %w", uncounted)
	}
	return err
}

// code is what a person typed, while it waits for them; with errUnknownCode it is
// also there where this person has decided about it. wrong says that the answer is
// errUnknownCode and that it was a guess: not a code that was decided about before,
// which a person asks for who reloads a page.
func (d *Device) code(ctx context.Context, userCode string, visit *Visit) (code *grants.DeviceCode, app *directory.Application, wrong bool, err error) {
	code, err = d.Codes.DeviceByUserCode(ctx, userCode)
	if errors.Is(err, grants.ErrNotFound) {
		return nil, nil, true, errUnknownCode()
	}
	if err != nil {
		return nil, nil, false, fmt.Errorf("look up the user code: %w", err)
	}
	visit.note(code)
	if !domain.Waits(code, d.Now()) && visit.Decided == grants.DeviceUndecided {
		return nil, nil, code.Decision == grants.DeviceUndecided, errUnknownCode()
	}
	app, err = d.Applications.Application(ctx, code.ClientID)
	if errors.Is(err, directory.ErrNotFound) || err == nil && !domain.Serves(app) {
		return nil, nil, false, errUnknownCode()
	}
	if err != nil {
		return nil, nil, false, fmt.Errorf("look up the application: %w", err)
	}
	if visit.Decided != grants.DeviceUndecided {
		return code, app, false, errUnknownCode()
	}
	return code, app, false, nil
}

// errUnknownCode is the one answer to a user code that does not exist, has
// expired or was used: a guess learns nothing from it.
func errUnknownCode() *oauth.Error {
	return &oauth.Error{
		Code: oauth.InvalidGrant, StatusOverride: 404,
		Description: "the code is unknown, has expired or was already used",
	}
}

// mayGuess is a *limits.Error where the address or the session has been wrong too
// often, or, for somebody who is not signed in, everybody together.
func (d *Device) mayGuess(ctx context.Context, visit *Visit, visitor Visitor) error {
	now := d.Now()
	var keys []limits.Key
	for _, g := range d.guesser(visit, visitor) {
		keys = append(keys, g.key)
	}
	if visit.Session == nil {
		keys = append(keys, d.everybody().key)
	}
	until, err := d.Guesses.Blocked(ctx, now, keys...)
	if err != nil {
		return fmt.Errorf("look up wrong user codes: %w", err)
	}
	return limits.Refuse(limits.UserCode, until, now)
}

// countGuess counts a wrong guess of a visitor, and among everybody's.
func (d *Device) countGuess(ctx context.Context, visit *Visit, visitor Visitor) error {
	now := d.Now()
	waiting, err := d.Codes.Waiting(ctx, now)
	if err != nil {
		return err
	}
	all := d.everybody()
	// Two windows touch a code's lifetime, so each has half of the budget. The
	// block is as long as a window, in the next of which the key is another.
	all.rule = limits.Rule{Failures: max(1, domain.Budget(waiting)/2), Window: d.CodeTTL, MinDelay: d.CodeTTL}
	var blocked []string
	for _, g := range append(d.guesser(visit, visitor), all) {
		until, err := d.Guesses.Fail(ctx, now, g.rule, g.key)
		if err != nil {
			return err
		}
		if until.After(now) {
			blocked = append(blocked, g.name)
		}
	}
	if len(blocked) > 0 {
		event := d.event(audit.UserCodeBlocked, visit, visitor)
		event.Detail = map[string]string{"limit": strings.Join(blocked, " ")}
		d.record(ctx, event)
	}
	return nil
}

// guesser is who a guess comes from: the address, and the session where there is
// one.
func (d *Device) guesser(visit *Visit, visitor Visitor) []guessed {
	list := []guessed{{"address", d.guessKey("address", limits.Address(visitor.Address)), d.GuessRule}}
	if visit.Session != nil {
		list = append(list, guessed{"session", d.guessKey("session", visit.Session.ID), d.GuessRule})
	}
	return list
}

// everybody is the platform in the present window, as long as a code lives.
func (d *Device) everybody() guessed {
	window := d.Now().UnixMicro() / d.CodeTTL.Microseconds()
	return guessed{name: "platform", key: d.guessKey("platform", strconv.FormatInt(window, 10))}
}

func (d *Device) guessKey(of, value string) limits.Key {
	return limits.NewKey(d.GuessSecret, "user_code", of, value)
}

// event is one about a visit.
func (d *Device) event(kind audit.Kind, visit *Visit, visitor Visitor) audit.Event {
	e := audit.Event{Kind: kind, Address: visitor.Address.String(), Reference: visitor.Reference}
	if s := visit.Session; s != nil {
		e.UserID, e.TenantID, e.SessionID = s.UserID, s.TenantID, s.ID
	}
	if visit.Code != nil {
		e.ClientID = visit.Code.ClientID
	}
	return e
}

// record adds an event. A trail that cannot be written stops nobody: the log says
// so.
func (d *Device) record(ctx context.Context, e audit.Event) {
	if err := d.Trail.Record(ctx, e); err != nil {
		d.Logger.ErrorContext(ctx, "could not write the audit trail", "kind", e.Kind, "client_id", e.ClientID, "error", err)
	}
}
