package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// hinted uses login_hint as the address if none was typed (OpenID Connect Core 3.1.2.1). It
// isn't stored in the flow.
func (si *SignIn) hinted(ctx context.Context, v *Visit) (err error) {
	email, ok := domain.ParseEmail(v.Request.LoginHint)
	if v.Step != domain.StepEmail || !ok {
		return nil
	}

	v.Request.LoginEmail = email
	v.Home, err = si.home(ctx, v.Request)
	v.Step = v.Next()
	return err
}

// others fills in the other people who are signed in in this browser if there is a choice
// to make: the application asks for one, or its hint names a person other than the current
// one. The person that the hint names comes first.
func (si *SignIn) others(ctx context.Context, v *Visit) error {
	asked := v.Request.Prompt.Has(oauth.PromptSelectAccount)
	if !asked && (v.Accepted() || !v.Hints()) {
		return nil
	}

	all, err := si.accounts(ctx, v)
	if err != nil {
		return err
	}

	named := func(o domain.Account) bool { return v.Names(o.User) }
	i := slices.IndexFunc(all, named)
	if i > 0 {
		all = slices.Insert(slices.Delete(slices.Clone(all), i, i+1), 0, all[i])
	}

	switch {
	case asked:
		v.Others = all
	case i < 0: // the person that the hint names isn't signed in here
	case v.Request.HintSubject != "": // only the named person will do
		v.Others = slices.DeleteFunc(all[:1], func(o domain.Account) bool { return !v.Recent(o.Session) })
	case v.Recent(all[0].Session):
		v.Others = all
	}

	return nil
}

// accounts returns the people who are signed in in this browser, apart from the one whose
// session counts in this flow.
func (si *SignIn) accounts(ctx context.Context, v *Visit) ([]domain.Account, error) {
	all, err := si.Browsers.inBrowser(ctx, v)
	if err != nil {
		return nil, err
	}

	var found []domain.Account
	for _, s := range all {
		if !s.Usable(v.Now, si.Browsers.Idle) || (v.Accepted() && s.UserID == v.User.ID) {
			continue
		}

		user, err := si.People.User(ctx, s.UserID)
		if errors.Is(err, directory.ErrNotFound) || (err == nil && !user.Active) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the person: %w", err)
		}

		other := domain.Account{Session: s, User: user}
		if other.Tenants, err = si.Browsers.tenants(ctx, user, v.App, s.AMR); err != nil {
			return nil, err
		}

		if other.Tenant() != nil {
			found = append(found, other)
		}
	}

	return found, nil
}
