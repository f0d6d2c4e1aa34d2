package sqlstore

import (
	"context"
	"errors"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
)

// sealing is the part of a store that handles requests without a row.
type sealing struct{ sealer *sealed.Sealer }

// Seal returns the token of a request instead of storing it. The token is empty if the request
// is too long for a URL and so needs a row.
func (s sealing) Seal(ctx context.Context, r *grants.AuthorizationRequest) (token string, err error) {
	return s.seal(ctx, sealed.Pages, r)
}

// Keep is Seal for a request that came to the authorization endpoint by POST and isn't bound to
// a browser yet.
func (s sealing) Keep(ctx context.Context, r *grants.AuthorizationRequest) (token string, err error) {
	return s.seal(ctx, sealed.Kept, r)
}

func (s sealing) seal(ctx context.Context, use sealed.Use, r *grants.AuthorizationRequest) (string, error) {
	if s.sealer == nil {
		return "", nil
	}

	traced := *r
	traced.TraceParent = madeIn(ctx)
	token, _, err := s.sealer.Seal(use, &traced)
	return token, err
}

// Kept opens a token made by Keep, even if it has expired. It returns grants.ErrNotFound for
// anything else.
func (s sealing) Kept(ctx context.Context, token string) (*grants.AuthorizationRequest, error) {
	return s.open(ctx, sealed.Kept, token)
}

// find returns the row that a handle names or, if a sealed request has no row yet, the request
// itself.
func (s sealing) find(ctx context.Context, db database.Runner, handle string) (*grants.AuthorizationRequest, error) {
	if !sealed.Pages.Is(handle) {
		return findRequest(ctx, db, handle)
	}

	request, err := s.open(ctx, sealed.Pages, handle)
	if err != nil {
		return nil, err
	}

	row, err := findRequest(ctx, db, request.ID)
	if errors.Is(err, grants.ErrNotFound) {
		return request, nil
	}

	return row, err
}

func (s sealing) open(ctx context.Context, use sealed.Use, token string) (*grants.AuthorizationRequest, error) {
	if s.sealer == nil {
		return nil, grants.ErrNotFound
	}

	r, err := s.sealer.Open(use, token)
	if errors.Is(err, sealed.ErrInvalid) {
		return nil, grants.ErrNotFound
	}
	if err != nil {
		return nil, err
	}

	linkToMaker(ctx, "authorization_requests", r.TraceParent)
	return r, nil
}
