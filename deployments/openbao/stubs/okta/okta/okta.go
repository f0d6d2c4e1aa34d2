// Package okta replaces the Okta client, whose push factor the server could request at
// a login. Every call returns an error.
package okta

import (
	"context"
	"errors"
	"net/http"

	"github.com/okta/okta-sdk-golang/v2/okta/query"
)

var errAbsent = errors.New("this server is built without Okta")

// Types of the client's responses.
type (
	Response                 struct{}
	User                     struct{ Id string }
	Factor                   interface{ IsUserFactorInstance() bool }
	UserFactor               struct{ Id, FactorType string }
	VerifyFactorRequest      struct{}
	VerifyUserFactorResponse struct {
		FactorResult string
		Links        any
	}
)

// IsUserFactorInstance makes UserFactor a Factor.
func (*UserFactor) IsUserFactorInstance() bool { return true }

// ConfigSetter changes nothing.
type ConfigSetter func()

// Settings that the server passes.
func WithToken(string) ConfigSetter  { return nil }
func WithOrgUrl(string) ConfigSetter { return nil }
func WithCache(bool) ConfigSetter    { return nil }

// Client is a client whose calls return an error.
type Client struct {
	User       users
	UserFactor factors
}

// NewClient returns an error.
func NewClient(ctx context.Context, _ ...ConfigSetter) (context.Context, *Client, error) {
	return ctx, nil, errAbsent
}

// CloneRequestExecutor returns an executor whose calls return an error.
func (*Client) CloneRequestExecutor() *RequestExecutor { return new(RequestExecutor) }

type users struct{}

func (users) ListUsers(context.Context, *query.Params) ([]*User, *Response, error) {
	return nil, nil, errAbsent
}

type factors struct{}

func (factors) ListFactors(context.Context, string) ([]Factor, *Response, error) {
	return nil, nil, errAbsent
}

func (factors) VerifyFactor(context.Context, string, string, VerifyFactorRequest, Factor, *query.Params) (*VerifyUserFactorResponse, *Response, error) {
	return nil, nil, errAbsent
}

// RequestExecutor is an executor whose calls return an error.
type RequestExecutor struct{}

func (e *RequestExecutor) WithAccept(string) *RequestExecutor      { return e }
func (e *RequestExecutor) WithContentType(string) *RequestExecutor { return e }

func (*RequestExecutor) NewRequest(string, string, any) (*http.Request, error) {
	return nil, errAbsent
}

func (*RequestExecutor) Do(context.Context, *http.Request, any) (*Response, error) {
	return nil, errAbsent
}
