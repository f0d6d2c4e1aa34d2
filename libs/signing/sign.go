package signing

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// typicalSignature is the length of an RSA-2048 signature in base64url, the
// longest there is.
const typicalSignature = 342

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Sign makes a compact JWS (RFC 7515 7.1) over claims with the active key of alg
// and the header {"alg","kid","typ"}. claims is anything encoding/json writes.
// The error is ErrNoKey when no key is active, ErrKeyMissing when the backend
// lost it; one that says Unavailable when the backend is away.
func (r *Ring) Sign(ctx context.Context, alg Algorithm, typ string, claims any) (string, error) {
	if r.backend == nil {
		return "", errors.New("signing: this ring only verifies")
	}

	if alg.ForLogout() && typ != TypeLogoutToken {
		return "", fmt.Errorf("signing: keys of %s sign no %s", alg, typ)
	}

	key, err := r.activeKey(ctx, alg)
	if err != nil {
		return "", err
	}

	input, err := signingInput(key.header(typ), claims)
	if err != nil {
		return "", err
	}

	signature, err := r.backend.Sign(ctx, key.key, input)
	if err != nil {
		return "", backendError(ctx, key.key.KID, err)
	}

	input = append(input, '.')
	return string(base64.RawURLEncoding.AppendEncode(input, signature)), nil
}

// Choose is the first of the algorithms that is in use: it has, or had, a key whose
// time to sign has come. An algorithm that was configured moments ago is not yet,
// until verifiers can know its first key; who wants it signs with the next best
// meanwhile. The first of all when none is in use: Sign says what is wrong.
func (r *Ring) Choose(algorithms ...Algorithm) Algorithm {
	current, now := r.current.Load(), r.now()
	for _, alg := range algorithms {
		if current.inUse(alg, now) {
			return alg
		}
	}
	return algorithms[0]
}

func (r *Ring) activeKey(ctx context.Context, alg Algorithm) (*signer, error) {
	seen := r.current.Load()
	if key := seen.active(alg, r.now()); key != nil {
		return key, nil
	}
	// A ring that just started, or the active key was revoked and the keys service
	// has made another.
	if key := r.reloadOnNoKey(ctx, seen).active(alg, r.now()); key != nil {
		return key, nil
	}

	return nil, ErrNoKey
}

// signingInput is header.payload (RFC 7515 5.1), with room for the signature.
func signingInput(header string, claims any) ([]byte, error) {
	buf := buffers.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds nothing else
	defer buffers.Put(buf)
	buf.Reset()
	encoder := json.NewEncoder(buf)
	encoder.SetEscapeHTML(false)

	if err := encoder.Encode(claims); err != nil {
		return nil, fmt.Errorf("signing: write claims: %w", err)
	}

	payload := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	size := len(header) + 2 + base64.RawURLEncoding.EncodedLen(len(payload)) + typicalSignature
	input := append(make([]byte, 0, size), header...)
	input = append(input, '.')

	return base64.RawURLEncoding.AppendEncode(input, payload), nil
}

// backendError tells a key that is gone, and a caller that went away, from a
// backend that is away.
func backendError(ctx context.Context, kid string, err error) error {
	if ctx.Err() != nil || errors.Is(err, ErrKeyMissing) {
		return fmt.Errorf("signing: sign with key %s: %w", kid, err)
	}
	return &unavailableError{what: "signing: sign with key " + kid, cause: err}
}
