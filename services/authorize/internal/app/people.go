package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/domain"
)

// hintedSubject implements who for an id_token_hint. It uses the session of that person,
// whichever session of the browser that is.
func (a *Authorizer) hintedSubject(
	ctx context.Context, app *directory.Application, flow *grants.Flow,
	current *sessions.Session, visitor Visitor,
) (*sessions.Session, domain.Need, error) {
	session := current
	if session == nil || session.UserID != flow.HintSubject {
		all, err := a.beside(ctx, current, visitor)
		if err != nil {
			return nil, domain.Login, err
		}

		session = nil
		if i := slices.IndexFunc(all, func(s *sessions.Session) bool { return s.UserID == flow.HintSubject }); i >= 0 {
			session = all[i]
		}
	}

	need, err := a.need(ctx, app, flow, session)
	return session, need, err
}

// hintedAddress implements who for a login_hint that is an e-mail address. It prefers the
// person with that address but doesn't switch to another person without asking. A
// login_hint proves nothing, so switching away from the current person is left to the
// account chooser, unless prompt=none forbids a page.
func (a *Authorizer) hintedAddress(
	ctx context.Context, app *directory.Application, flow *grants.Flow,
	current *sessions.Session, visitor Visitor,
) (*sessions.Session, domain.Need, error) {
	named, err := a.named(ctx, flow.LoginHint, current)
	if err != nil {
		return nil, domain.Login, err
	}

	if named {
		need, err := a.need(ctx, app, flow, current)
		return current, need, err
	}

	all, err := a.beside(ctx, current, visitor)
	if err != nil {
		return nil, domain.Login, err
	}

	for _, session := range all {
		named, err := a.named(ctx, flow.LoginHint, session)
		switch {
		case err != nil:
			return nil, domain.Login, err
		case named && flow.Prompt.Has(oauth.PromptNone):
			need, err := a.need(ctx, app, flow, session)
			return session, need, err
		case named:
			return session, domain.Account, nil
		}
	}

	people := map[string]bool{}
	if current != nil && current.Usable(a.Now(), a.SessionIdle) {
		people[current.UserID] = true
	}

	for _, session := range all {
		people[session.UserID] = true
	}

	if len(people) > 1 {
		return nil, domain.Account, nil
	}

	return nil, domain.Login, nil
}

// named reports whether a session belongs to the person with the e-mail address.
func (a *Authorizer) named(ctx context.Context, address string, session *sessions.Session) (bool, error) {
	if session == nil {
		return false, nil
	}

	user, err := a.People.User(ctx, session.UserID)
	if errors.Is(err, directory.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up the user: %w", err)
	}

	return domain.SameAddress(user.Email, address), nil
}

// beside returns the browser's usable sessions other than the current one, the last used
// first.
func (a *Authorizer) beside(
	ctx context.Context, current *sessions.Session, visitor Visitor,
) ([]*sessions.Session, error) {
	if visitor.Accounts == "" {
		return nil, nil
	}

	all, err := a.Sessions.OfBrowser(ctx, oauth.HashSecret(visitor.Accounts))
	if err != nil {
		return nil, fmt.Errorf("look up the browser's sessions: %w", err)
	}

	return slices.DeleteFunc(all, func(s *sessions.Session) bool {
		return !s.Usable(a.Now(), a.SessionIdle) || (current != nil && s.ID == current.ID)
	}), nil
}

// choice determines what is needed for prompt=none. If other people are signed in in this
// browser too and no hint names one, an account has to be chosen (OpenID Connect Core
// 3.1.2.6, account_selection_required). Anything else that a usable current session lacks
// takes precedence.
func (a *Authorizer) choice(
	ctx context.Context, current *sessions.Session, need domain.Need, visitor Visitor,
) (domain.Need, error) {
	person := ""
	if current != nil && current.Usable(a.Now(), a.SessionIdle) {
		person = current.UserID
	}

	if person != "" && need != domain.Nothing {
		return need, nil
	}

	all, err := a.beside(ctx, current, visitor)
	if err != nil {
		return need, err
	}

	if sessions.Others(all, person, a.Now(), a.SessionIdle) > 0 {
		return domain.Account, nil
	}

	return need, nil
}
