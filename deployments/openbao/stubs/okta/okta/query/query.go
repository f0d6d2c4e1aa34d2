// Package query has the filter type of the Okta client that the server names.
package query

// Params is empty.
type Params struct{}

// ParamOptions changes nothing.
type ParamOptions func(*Params)

// WithFilter returns no option.
func WithFilter(string) ParamOptions { return nil }

// NewQueryParams returns the empty parameters.
func NewQueryParams(...ParamOptions) *Params { return new(Params) }
