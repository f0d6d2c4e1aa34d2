// Package transit replaces the transit seal, which this server doesn't need because it seals with
// keys of its own. It compiles, but refuses to be configured.
package transit

import (
	"context"
	"errors"

	wrapping "github.com/openbao/go-kms-wrapping/v2"
)

// Wrapper is a seal that can't be configured.
type Wrapper struct{ wrapping.Wrapper }

// NewWrapper returns a wrapper that can't be configured.
func NewWrapper() *Wrapper { return new(Wrapper) }

// SetConfig returns an error.
func (*Wrapper) SetConfig(context.Context, ...wrapping.Option) (*wrapping.WrapperConfig, error) {
	return nil, errors.New("this server is built without the transit seal")
}
