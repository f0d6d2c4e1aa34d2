package vaulttransit

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// forgotten is the age up to which a version without a row may be used for the next row. An
// older one is left alone, because a new key should be new.
const forgotten = time.Hour

// transitKey is Vault's description of a key.
type transitKey struct {
	Data struct {
		Exportable bool                       `json:"exportable"`
		Backup     bool                       `json:"allow_plaintext_backup"`
		Latest     int                        `json:"latest_version"`
		Versions   map[string]json.RawMessage `json:"keys"`
	} `json:"data"`
}

// Create creates the transit key of an algorithm, or its next version. Replicas that do so at
// the same time get different versions, but may share the first.
func (e *Engine) Create(ctx context.Context, alg signing.Algorithm) (string, crypto.PublicKey, error) {
	if err := errors.Join(ctx.Err(), e.loggedOut()); err != nil {
		return "", nil, err
	}

	kind, ok := keyTypes[alg.JWS()]
	if !ok {
		return "", nil, fmt.Errorf("vault transit: unknown algorithm %q", alg)
	}

	name := e.keyName(alg)
	key, err := e.rotate(ctx, name)
	if errors.Is(err, signing.ErrKeyMissing) {
		key = transitKey{}
		err = classify(ctx, e.post(ctx, "keys/"+name, fmt.Appendf(nil, `{"type":%q}`, kind), &key))
		// Creating a key that exists isn't an error. The first version may be one that another
		// replica made at this moment; both then try to write its row.
		if err == nil && key.Data.Latest > 1 {
			key, err = e.rotate(ctx, name)
		}
	}

	if err == nil && key.Data.Latest == 0 {
		// Some servers return nothing here. A version later than ours serves as well.
		key, err = e.read(ctx, name)
	}

	if err != nil {
		return "", nil, fmt.Errorf("make a version of %s: %w", name, err)
	}

	public, _, err := key.newest(alg, name)
	if err != nil {
		return "", nil, err
	}

	return version{name: name, number: key.Data.Latest}.ref(), public, nil
}

// Delete does nothing. Vault can't delete one version of a transit key, only all versions below
// one, and that requires rights over the key's configuration that no service should have.
// Reconcile returns a version that no row refers to.
func (e *Engine) Delete(ctx context.Context, _ string) error { return ctx.Err() }

// Reconcile returns the newest version of a transit key if no row refers to it and it was made
// within the last hour.
func (e *Engine) Reconcile(ctx context.Context, alg signing.Algorithm, schedule []signing.Key) (*signing.Key, error) {
	if err := errors.Join(ctx.Err(), e.loggedOut()); err != nil {
		return nil, err
	}

	name := e.keyName(alg)
	key, err := e.read(ctx, name)
	switch {
	case errors.Is(err, signing.ErrKeyMissing):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for versions of %s: %w", name, err)
	}

	ref := version{name: name, number: key.Data.Latest}.ref()
	public, made, err := key.newest(alg, name)
	// A key that was deleted and created again has the ref of the old one.
	if slices.ContainsFunc(schedule, func(k signing.Key) bool {
		return k.Ref == ref && (err != nil || k.KID == signing.Thumbprint(public))
	}) {
		return nil, nil
	}

	if err != nil || e.now().Sub(made) > forgotten {
		return nil, err
	}

	return &signing.Key{
		KID:       signing.Thumbprint(public),
		Algorithm: alg,
		Ref:       ref,
		PublicKey: public,
	}, nil
}

func (e *Engine) rotate(ctx context.Context, name string) (key transitKey, err error) {
	return key, classify(ctx, e.post(ctx, "keys/"+name+"/rotate", []byte("{}"), &key))
}

func (e *Engine) read(ctx context.Context, name string) (key transitKey, err error) {
	return key, classify(ctx, e.get(ctx, "keys/"+name, &key))
}

// newest returns the public half of the newest version and when it was created. It refuses a
// key that Vault would export.
func (k *transitKey) newest(alg signing.Algorithm, name string) (crypto.PublicKey, time.Time, error) {
	if k.Data.Exportable || k.Data.Backup {
		return nil, time.Time{}, fmt.Errorf("vault transit: the private key %s can be exported or backed up in plain text, which can't be undone: choose another PLATFORM_VAULT_KEY_PREFIX, or delete the key", name)
	}

	var of struct {
		PublicKey string    `json:"public_key"`
		Made      time.Time `json:"creation_time"`
	}
	if err := json.Unmarshal(k.Data.Versions[strconv.Itoa(k.Data.Latest)], &of); err != nil {
		return nil, time.Time{}, fmt.Errorf("vault transit: version %d of %s is not a signing key", k.Data.Latest, name)
	}

	public, err := parsePublic(alg, of.PublicKey)
	if err != nil || !alg.Fits(public) {
		return nil, time.Time{}, fmt.Errorf("vault transit: version %d of %s is not a key that signs %s",
			k.Data.Latest, name, alg)
	}

	return public, of.Made, nil
}

// parsePublic parses Vault's form of a public key: PKIX in PEM, or the 32 bytes of an Ed25519
// key in base64.
func parsePublic(alg signing.Algorithm, text string) (crypto.PublicKey, error) {
	if alg.JWS() == signing.EdDSA {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, errors.New("not an Ed25519 key")
		}
		return ed25519.PublicKey(raw), nil
	}

	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("not PEM")
	}

	return x509.ParsePKIXPublicKey(block.Bytes)
}
