package signingtest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

var errSignature = errors.New("signature does not verify")

// Check verifies the signature bytes of RFC 7518 3 and RFC 8037 3.1 with the
// standard library.
func Check(key signing.Key, input, signature []byte) error {
	digest := sha256.Sum256(input)
	switch public := key.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.Algorithm.JWS() == signing.PS256 {
			// RFC 7518 3.5: the salt is exactly as long as the hash.
			return rsa.VerifyPSS(public, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: sha256.Size})
		}
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature)
	case *ecdsa.PublicKey:
		if len(signature) != 64 {
			return fmt.Errorf("an ES256 signature has 64 bytes, not %d (RFC 7518 3.4)", len(signature))
		}

		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		if !ecdsa.Verify(public, digest[:], r, s) {
			return errSignature
		}
		return nil
	case ed25519.PublicKey:
		if !ed25519.Verify(public, input, signature) {
			return errSignature
		}
		return nil
	default:
		return fmt.Errorf("key of type %T", public)
	}
}

// Schedule is an in-memory signing.Schedule that can be made to fail. The zero value is empty.
// It is safe for concurrent use.
type Schedule struct {
	mu    sync.Mutex
	keys  []signing.Key
	err   error
	reads int
}

var _ signing.Schedule = (*Schedule)(nil)

// NewSchedule returns a schedule with the given keys.
func NewSchedule(keys ...signing.Key) *Schedule { return &Schedule{keys: keys} }

// Keys returns the keys last passed to Set, or the error passed to Fail.
func (s *Schedule) Keys(context.Context) ([]signing.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	return slices.Clone(s.keys), s.err
}

// Set replaces the keys.
func (s *Schedule) Set(keys ...signing.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = keys
}

// Fail makes every read fail with err, until it is called with nil.
func (s *Schedule) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Reads returns how often the schedule has been read.
func (s *Schedule) Reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}
