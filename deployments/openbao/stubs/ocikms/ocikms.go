// Package ocikms is what remains of the ocikms seal in a server that seals with keys
// of its own: enough to compile, and a refusal to be configured.
package ocikms

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
	return nil, errors.New("this server is built without the ocikms seal")
}

// Names of settings that the server looks up.
const (
	KmsConfigKeyId              = "key_id"
	KmsConfigCryptoEndpoint     = "crypto_endpoint"
	KmsConfigManagementEndpoint = "management_endpoint"
)
