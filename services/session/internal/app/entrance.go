package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// entranceTTL is how long a sign-in to the account page may take. It is the same as for any
// other sign-in.
const entranceTTL = grants.FlowTTL

// Entrance describes a sign-in that no application asked for.
type Entrance struct {
	Browser   Browser
	Email     string // typed at a tenant's entrance, or empty
	TenantID  string // whose entrance it is, or empty
	UILocales string
}

// Enter begins the sign-in and returns its flow. It returns false if the typed address
// can't be valid. Without a typed address nothing is stored, and the flow lives in the URL
// of its page. It returns *limits.Error if the browser or its address has started too many.
func (si *SignIn) Enter(ctx context.Context, e Entrance) (flow string, ok bool, err error) {
	email := ""
	if e.Email != "" {
		if email, ok = domain.ParseEmail(e.Email); !ok {
			return "", false, nil
		}
	}

	id, err := oauth.NewID("flw_", si.Random)
	if err != nil {
		return "", false, err
	}

	now := si.Now()
	request := &grants.Flow{
		ID:          id,
		Kind:        grants.KindAccount,
		BrowserHash: e.Browser.Hash,
		Visit:       grants.Visit{LoginEmail: email, TenantID: e.TenantID},
		UILocales:   e.UILocales,
		CreatedAt:   now,
		ExpiresAt:   now.Add(entranceTTL),
	}

	if email == "" {
		flow, err = si.Entrances.Seal(ctx, request)
		if err == nil && flow == "" {
			err = errors.New("it does not fit in an address")
		}
		if err != nil {
			return "", false, fmt.Errorf("seal the sign-in: %w", err)
		}
		return flow, true, nil
	}

	if err = si.start(ctx, now, e.Browser, si.Prover.known(e.Browser, email)); err != nil {
		return "", false, err
	}

	if err = si.Entrances.Start(ctx, request); err != nil {
		return "", false, fmt.Errorf("store the sign-in: %w", err)
	}

	return id, true, nil
}

// TenantPage returns the active tenant with the given slug, or nil if there is none.
func (si *SignIn) TenantPage(ctx context.Context, slug string) (*directory.Tenant, error) {
	tenant, err := si.People.TenantBySlug(ctx, slug)
	if errors.Is(err, directory.ErrNotFound) || (err == nil && !tenant.Active) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the tenant: %w", err)
	}
	return tenant, nil
}
