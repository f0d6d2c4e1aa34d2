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

// typicalSignature is the length of an RSA-2048 signature in base64url, the longest of all.
const typicalSignature = 342

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Sign returns a compact JWS (RFC 7515 7.1) over claims, signed with the active key of alg,
// with the header {"alg","kid","typ"}. claims is anything that encoding/json can encode. The
// error is ErrNoKey if no key is active, ErrKeyMissing if the backend has lost the key, or one
// that reports Unavailable if the backend is down.
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

// Choose returns the first of the algorithms that is in use, that is, which has or had a key
// whose time to sign has come. A newly configured algorithm isn't in use until verifiers have
// had time to learn its first key; meanwhile the next best algorithm signs. If none is in use,
// Choose returns the first, and Sign then reports what is wrong.
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
	// Either the ring has just started, or the active key was revoked and the keys service has
	// made another.
	if key := r.reloadOnNoKey(ctx, seen).active(alg, r.now()); key != nil {
		return key, nil
	}

	return nil, ErrNoKey
}

// signingInput returns header.payload (RFC 7515 5.1), with capacity for the signature.
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

// backendError distinguishes a missing key and a canceled caller from a backend that is down.
func backendError(ctx context.Context, kid string, err error) error {
	if ctx.Err() != nil || errors.Is(err, ErrKeyMissing) {
		return fmt.Errorf("signing: sign with key %s: %w", kid, err)
	}
	return &unavailableError{what: "signing: sign with key " + kid, cause: err}
}
