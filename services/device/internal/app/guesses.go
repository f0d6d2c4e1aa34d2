package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/device/internal/domain"
)

// guessed is a claim together with the name of what it counts, which is a session or a
// network.
type guessed struct {
	name string
	limits.Claim
}

// find looks up a typed code if the visitor may still guess, and counts the guess if the
// code is wrong (RFC 8628 5.1). A right code resets nothing, since an attacker can have
// codes of their own.
func (d *Device) find(ctx context.Context, typed string, visit *Visit, visitor Visitor) error {
	userCode, ok := oauth.NormalizeUserCode(typed)
	if !ok { // malformed, so it isn't a guess
		return ErrUnknownCode
	}

	taken, err := d.mayGuess(ctx, visit, visitor)
	if err != nil {
		return err
	}

	var wrong bool
	visit.Code, visit.App, wrong, err = d.code(ctx, userCode, visit)
	if !wrong {
		return errors.Join(err, limits.GiveBack(ctx, d.Limits, taken))
	}

	// A guess that can't be counted gets no answer.
	if uncounted := d.countGuess(ctx, visit, visitor, taken); uncounted != nil {
		return fmt.Errorf("count a wrong user code: %w", uncounted)
	}

	return err
}

// code looks up a user code that is waiting for a decision. If this person has already
// decided about the code, it is returned along with ErrUnknownCode. wrong reports that the
// error is ErrUnknownCode and that the code counts as a guess. A code that was decided
// about before doesn't, since a person may reload the page.
func (d *Device) code(
	ctx context.Context, userCode string, visit *Visit,
) (code *grants.DeviceCode, app *directory.Application, wrong bool, err error) {
	code, err = d.Codes.DeviceByUserCode(ctx, userCode)
	if errors.Is(err, grants.ErrNotFound) {
		return nil, nil, true, ErrUnknownCode
	}
	if err != nil {
		return nil, nil, false, fmt.Errorf("look up the user code: %w", err)
	}

	visit.note(code)

	if !domain.Waits(code, d.Now()) && visit.Decided == grants.DeviceUndecided {
		return nil, nil, code.Decision == grants.DeviceUndecided, ErrUnknownCode
	}

	app, err = d.Applications.Application(ctx, code.ClientID)
	if errors.Is(err, directory.ErrNotFound) || (err == nil && !domain.Serves(app)) {
		return nil, nil, false, ErrUnknownCode
	}
	if err != nil {
		return nil, nil, false, fmt.Errorf("look up the application: %w", err)
	}

	if visit.Decided != grants.DeviceUndecided {
		return code, app, false, ErrUnknownCode
	}

	return code, app, false, nil
}

// Errors of a code that a person typed.
var (
	// ErrUnknownCode is the same for a user code that doesn't exist, has expired or was used, so
	// that a guess reveals nothing.
	ErrUnknownCode = oauth.Errorf(oauth.InvalidGrant, "the code is unknown, has expired or was already used")
	// ErrSignInFirst is for people who aren't signed in, once too many wrong codes were typed by
	// such people: at their address or in a network around it, or by all of them together, so
	// that the next could be right by chance. A person who signs in is counted separately and
	// can continue, so that a neighbour who guesses doesn't shut anyone out.
	ErrSignInFirst = oauth.Errorf(oauth.LoginRequired,
		"sign in first: too many wrong codes were entered by people who are not signed in")
)

// mayGuess counts a guess before it is made. It returns *limits.Error if the person who is
// signed in has been wrong too often. If the person isn't signed in, it returns
// ErrSignInFirst once their networks or all such people have been wrong too often.
func (d *Device) mayGuess(ctx context.Context, visit *Visit, visitor Visitor) ([]limits.Taken, error) {
	now := d.Now()
	if visit.Session == nil {
		until, err := d.Limits.Blocked(ctx, now, d.everybody())
		if err != nil {
			return nil, fmt.Errorf("look up wrong user codes: %w", err)
		}
		if until.After(now) {
			return nil, ErrSignInFirst
		}
	}

	var claims []limits.Claim
	for _, g := range d.guesser(visit, visitor) {
		claims = append(claims, g.Claim)
	}

	taken, until, err := d.Limits.Take(ctx, now, claims...)
	if err != nil {
		return nil, fmt.Errorf("count a user code: %w", err)
	}

	if visit.Session == nil && until.After(now) {
		return nil, ErrSignInFirst
	}

	return taken, limits.Refuse(limits.UserCode, until, now)
}

// countGuess counts a wrong guess toward the platform's total, and records the blocks that
// it started in the audit trail.
func (d *Device) countGuess(ctx context.Context, visit *Visit, visitor Visitor, taken []limits.Taken) error {
	now := d.Now()
	// A guess that hits a code from the guesser's own network gains nothing. Only codes from
	// other networks count, so that an attacker who requests many codes can't make guesses from
	// their own network look dangerous.
	waiting, err := d.Codes.Waiting(ctx, limits.Site(visitor.Address), now)
	if err != nil {
		return err
	}

	// A code's lifetime can overlap two windows, so each gets half of the budget. The block
	// lasts as long as a window; the next window has a different key.
	rule := limits.Rule{Failures: max(1, domain.Budget(waiting)/2), Window: d.CodeTTL, MinDelay: d.CodeTTL}
	until, err := d.Limits.Fail(ctx, now, rule, d.everybody())
	if err != nil {
		return err
	}

	var blocked []string
	for _, g := range d.guesser(visit, visitor) {
		began := func(t limits.Taken) bool { return bytes.Equal(t.Key, g.Key) && t.Until.After(now) }
		if slices.ContainsFunc(taken, began) && !slices.Contains(blocked, g.name) {
			blocked = append(blocked, g.name)
		}
	}

	if until.After(now) {
		blocked = append(blocked, "platform")
	}

	if len(blocked) > 0 {
		event := d.event(audit.UserCodeBlocked, visit, visitor)
		event.Detail = map[string]string{"limit": strings.Join(blocked, " ")}
		d.record(ctx, event)
	}

	return nil
}

// guesser returns the claims of the visitor: the person who is signed in, who is counted alone
// wherever they are and however often they sign in, or else the address and the networks around
// it.
func (d *Device) guesser(visit *Visit, visitor Visitor) []guessed {
	if visit.Session != nil {
		key := d.guessKey("person", visit.Session.UserID)
		return []guessed{{"person", limits.Claim{Key: key, Rule: d.GuessRule}}}
	}

	var list []guessed
	for _, claim := range limits.NetworkClaims(d.GuessSecret, visitor.Address, d.GuessRule, "user_code", "address") {
		list = append(list, guessed{"address", claim})
	}

	return list
}

// everybody returns the key of the platform's total in the current window. A window is as
// long as a code lives.
func (d *Device) everybody() limits.Key {
	window := d.Now().UnixMicro() / d.CodeTTL.Microseconds()
	return d.guessKey("platform", strconv.FormatInt(window, 10))
}

func (d *Device) guessKey(of, value string) limits.Key {
	return limits.NewKey(d.GuessSecret, "user_code", of, value)
}

// event returns an event about a visit.
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

// record adds an event to the audit trail. A failure is logged but doesn't fail the
// request.
func (d *Device) record(ctx context.Context, e audit.Event) {
	audit.RecordOrLog(ctx, d.Trail, d.Logger, e)
}
