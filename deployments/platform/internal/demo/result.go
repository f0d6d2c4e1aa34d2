package demo

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// result holds the tokens and claims of one sign-in.
type result struct {
	ClientID  string
	Expires   time.Time
	Scope     string
	Tokens    []token
	UserInfo  string
	logoutURL string
}

// token is a decoded JWT for people to read.
type token struct {
	Name    string
	Raw     string
	Header  string
	Payload string
}

// redeem does what every OpenID Connect client does: it exchanges the code, checks the ID
// token and its nonce, and requests the person's claims.
func (a *App) redeem(ctx context.Context, begun attempt, code string) (result, error) {
	config, provider, err := a.config(ctx, begun.ClientID)
	if err != nil {
		return result{}, err
	}

	ctx = oidc.ClientContext(ctx, a.client)
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(begun.Verifier))
	if err != nil {
		return result{}, fmt.Errorf("exchange the code: %w", err)
	}

	raw, _ := tokens.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: begun.ClientID}).Verify(ctx, raw)
	if err != nil {
		return result{}, fmt.Errorf("verify the ID token: %w", err)
	}

	if id.Nonce != begun.Nonce {
		return result{}, errors.New("the ID token has the nonce of another sign-in")
	}

	if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
		return result{}, fmt.Errorf("verify at_hash: %w", err)
	}

	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return result{}, fmt.Errorf("ask userinfo: %w", err)
	}

	if info.Subject != id.Subject {
		return result{}, errors.New("userinfo is about another person than the ID token")
	}

	var claims json.RawMessage
	if err := info.Claims(&claims); err != nil {
		return result{}, err
	}

	scope, _ := tokens.Extra("scope").(string)
	return result{
		ClientID:  begun.ClientID,
		Expires:   tokens.Expiry,
		Scope:     scope,
		Tokens:    []token{decode("ID token", raw), decode("Access token", tokens.AccessToken)},
		UserInfo:  indent(claims),
		logoutURL: a.endSession(provider, begun.ClientID),
	}, nil
}

func decode(name, raw string) token {
	t := token{Name: name, Raw: raw}
	if parts := strings.Split(raw, "."); len(parts) == 3 {
		t.Header, t.Payload = decodePart(parts[0]), decodePart(parts[1])
	}
	return t
}

func decodePart(part string) string {
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return ""
	}
	return indent(data)
}

func indent(data []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, data, "", "  ") != nil {
		return ""
	}
	return b.String()
}

// store keeps a bounded number of values for half an hour.
type store[V any] struct {
	now func() time.Time
	mu  sync.Mutex
	all map[string]kept[V]
}

type kept[V any] struct {
	value V
	until time.Time
}

const (
	storeSize = 1000
	storeTime = 30 * time.Minute
)

func newStore[V any](now func() time.Time) *store[V] {
	return &store[V]{now: now, all: map[string]kept[V]{}}
}

func (s *store[V]) put(key string, value V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if len(s.all) >= storeSize {
		for k, v := range s.all {
			if now.After(v.until) || len(s.all) >= storeSize {
				delete(s.all, k)
			}
		}
	}

	s.all[key] = kept[V]{value, now.Add(storeTime)}
}

func (s *store[V]) get(key string) (V, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.all[key]
	return v.value, ok && s.now().Before(v.until)
}

// take returns a value and removes it.
func (s *store[V]) take(key string) (V, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.all[key]
	delete(s.all, key)
	return v.value, ok && s.now().Before(v.until)
}
