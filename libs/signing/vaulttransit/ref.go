package vaulttransit

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// refForm is the only form of a ref, the name of a transit key and its version:
// platform-es256:v3, or platform-logout-rs256:v1. The name can't escape its place in a path.
var refForm = regexp.MustCompile(`^([A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?-(?:logout-)?(rs256|ps256|es256|eddsa)):v([1-9][0-9]{0,8})$`)

// keyTypes are the transit key types that Create uses.
var keyTypes = map[signing.Algorithm]string{
	signing.RS256: "rsa-2048",
	signing.PS256: "rsa-2048",
	signing.ES256: "ecdsa-p256",
	signing.EdDSA: "ed25519",
}

// version is a version of a transit key as used by one algorithm. Items for the same version
// can travel together.
type version struct {
	name   string
	number int
	alg    signing.Algorithm
}

func (v version) ref() string { return v.name + ":v" + strconv.Itoa(v.number) }

// parseRef returns signing.ErrKeyMissing for anything that isn't a ref of this backend, or that
// refers to a key of another algorithm.
func parseRef(key signing.Key) (version, error) {
	match := refForm.FindStringSubmatch(key.Ref)
	if match == nil || !strings.HasSuffix(match[1], "-"+strings.ToLower(string(key.Algorithm))) {
		return version{}, &Error{
			Reason: MissingKey,
			cause:  fmt.Errorf("no transit key that signs %s has the name %q", key.Algorithm, key.Ref),
		}
	}

	number, err := strconv.Atoi(match[3])
	if err != nil {
		return version{}, &Error{Reason: MissingKey, cause: err}
	}
	return version{name: match[1], number: number, alg: key.Algorithm.JWS()}, nil
}

// keyName returns the name of an algorithm's transit key.
func (e *Engine) keyName(alg signing.Algorithm) string {
	return e.prefix + "-" + strings.ToLower(string(alg))
}
