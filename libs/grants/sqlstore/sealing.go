package sqlstore

import (
	"context"
	"errors"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
)

// sealing is the part of a store that handles flows without a row.
type sealing struct{ sealer *sealed.Sealer }

// Seal returns the token of a flow instead of storing it. The token is empty if the flow is too
// long for a URL and so needs a row.
func (s sealing) Seal(ctx context.Context, f *grants.Flow) (token string, err error) {
	return s.seal(ctx, sealed.Pages, f)
}

// Keep is Seal for a request that came to the authorization endpoint by POST and isn't bound to
// a browser yet.
func (s sealing) Keep(ctx context.Context, f *grants.Flow) (token string, err error) {
	return s.seal(ctx, sealed.Kept, f)
}

func (s sealing) seal(ctx context.Context, use sealed.Use, f *grants.Flow) (string, error) {
	if s.sealer == nil {
		return "", nil
	}

	traced := *f
	traced.TraceParent = madeIn(ctx)
	token, _, err := s.sealer.Seal(use, &traced)
	return token, err
}

// Kept opens a token made by Keep, even if it has expired. It returns grants.ErrNotFound for
// anything else.
func (s sealing) Kept(ctx context.Context, token string) (*grants.Flow, error) {
	return s.open(ctx, sealed.Kept, token)
}

// find returns the row that a handle names or, if a sealed flow has no row yet, the flow itself.
func (s sealing) find(ctx context.Context, db database.Runner, handle string) (*grants.Flow, error) {
	if !sealed.Pages.Is(handle) {
		return findFlow(ctx, db, handle)
	}

	flow, err := s.open(ctx, sealed.Pages, handle)
	if err != nil {
		return nil, err
	}

	row, err := findFlow(ctx, db, flow.ID)
	if errors.Is(err, grants.ErrNotFound) {
		return flow, nil
	}

	return row, err
}

func (s sealing) open(ctx context.Context, use sealed.Use, token string) (*grants.Flow, error) {
	if s.sealer == nil {
		return nil, grants.ErrNotFound
	}

	f, err := s.sealer.Open(use, token)
	if errors.Is(err, sealed.ErrInvalid) {
		return nil, grants.ErrNotFound
	}
	if err != nil {
		return nil, err
	}

	linkToMaker(ctx, "authorization_requests", f.TraceParent)
	return f, nil
}
