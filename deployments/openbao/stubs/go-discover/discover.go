// Package discover finds no peers, because the server is a cluster of one.
package discover

import (
	"errors"
	"log"
)

// Provider would list the addresses of a cloud.
type Provider interface {
	Addrs(args map[string]string, l *log.Logger) ([]string, error)
	Help() string
}

// Providers is empty.
var Providers = make(map[string]Provider)

// Discover finds nothing.
type Discover struct{}

// Option changes nothing.
type Option func(*Discover) error

// New returns a Discover that finds nothing.
func New(...Option) (*Discover, error) { return new(Discover), nil }

// WithProviders returns no option.
func WithProviders(map[string]Provider) Option { return nil }

// Addrs returns an error.
func (*Discover) Addrs(string, *log.Logger) ([]string, error) {
	return nil, errors.New("this server is built without cloud auto-join")
}
