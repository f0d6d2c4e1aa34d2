package doctor

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"
)

// second is the precision of a Date header.
const second = time.Second

// probe is the text that the doctor has signed. It isn't a token or a part of one.
const probe = "platform doctor: can this key sign?"

// sign has each active key make a signature, as the services would: with the key version
// that the schedule names, verified with the public half there.
func (e *examination) sign(ctx context.Context, client *api.Client, algorithms []signing.Algorithm) {
	if e.schedule == nil {
		e.warn("vault.sign", "", "not checked: the schedule of signing keys isn't known")
		return
	}

	engine, err := vaulttransit.New(vaulttransit.Options{
		Client: client,
		Mount:  e.Signing.Vault.TransitMount,
		Prefix: e.Signing.Vault.KeyPrefix,
		Logger: e.Deps.Logger,
	})
	if err != nil {
		e.fail("vault.sign", "", "can't try a signature: %v", err)
		return
	}

	defer func() { _ = engine.Close() }()
	var tried []string
	for _, alg := range algorithms {
		key, ok := e.signs(alg)
		if !ok && e.waits(alg) {
			continue // its first key is published but not active yet
		}

		if !ok {
			e.fail("vault.sign", "check the log of keys", "no active key for %s", alg)
			return
		}

		if _, err := engine.Sign(ctx, key, []byte(probe)); err != nil {
			e.fail("vault.sign", "check whether Vault has lost keys, or whether the database belongs to another platform",
				"key %s, the active one for %s, can't sign: %v", key.Ref, alg, err)
			return
		}

		tried = append(tried, key.Ref)
	}

	e.ok("vault.sign", "%s can sign", strings.Join(tried, ", "))
}

// waits reports whether the schedule has a key that will sign later.
func (e *examination) waits(alg signing.Algorithm) bool {
	now := e.Deps.Now()
	return slices.ContainsFunc(e.schedule, func(k signing.Key) bool {
		return k.Algorithm == alg && k.Verifies(now) && k.ActiveFrom.After(now)
	})
}

// signs returns the key of the schedule that signs now.
func (e *examination) signs(alg signing.Algorithm) (key signing.Key, ok bool) {
	now := e.Deps.Now()
	for _, k := range e.schedule { // sorted by generation
		if k.Algorithm == alg && k.Signs(now) {
			key, ok = k, true
		}
	}
	return key, ok
}
