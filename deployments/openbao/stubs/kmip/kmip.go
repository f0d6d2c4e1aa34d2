// Package kmip is what remains of the kmip seal in a server that seals with keys
// of its own: enough to compile, and a refusal to be configured.
package kmip

import (
	"context"
	"errors"

	wrapping "github.com/openbao/go-kms-wrapping/v2"
)

// Wrapper cannot be configured.
type Wrapper struct{ wrapping.Wrapper }

// NewWrapper returns the wrapper that cannot be configured.
func NewWrapper() *Wrapper { return new(Wrapper) }

// SetConfig refuses.
func (*Wrapper) SetConfig(context.Context, ...wrapping.Option) (*wrapping.WrapperConfig, error) {
	return nil, errors.New("this server is built without the kmip seal")
}
