package clientauth

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

const (
	// maxJTI bounds the jti of an assertion, in bytes.
	maxJTI = 1024
	// assertionLifetime is how far in the future an assertion may expire, by its application's
	// clock. Used assertions are remembered until then.
	assertionLifetime = 5 * time.Minute
	// assertionAge is how long ago an assertion may have been issued.
	assertionAge = time.Hour
	// assertionSkew is how far an application's clock may be ahead of the platform's.
	assertionSkew = 30 * time.Second
)

// assertionAlgs are the algorithms accepted for private_key_jwt. A symmetric one would need the
// secret itself, of which only the hash is stored; "none" proves nothing.
var assertionAlgs = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}

// assertion is a well-formed client assertion. Its content is unproven until its signature is
// verified.
type assertion struct {
	jws    *jose.JSONWebSignature
	alg    signing.Algorithm
	kid    string
	claims assertionClaims
}

// assertionClaims are the claims of RFC 7523 3. Times are seconds since 1970, possibly with a
// fraction (RFC 7519 2, NumericDate).
type assertionClaims struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  signing.Audience `json:"aud"`
	ExpiresAt *float64         `json:"exp"`
	NotBefore *float64         `json:"nbf"`
	IssuedAt  *float64         `json:"iat"`
	ID        string           `json:"jti"`
}

// parseAssertion parses a client_assertion without verifying it.
func parseAssertion(token string) (*assertion, bool) {
	if len(token) > signing.MaxToken {
		return nil, false
	}

	jws, err := jose.ParseSignedCompact(token, assertionAlgs)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, false
	}

	header := jws.Signatures[0].Protected
	// An application may have signed a token with the same key for another purpose, such as a
	// request object or a proof of possession (RFC 8725 3.11).
	if _, there := header.ExtraHeaders[jose.HeaderType]; there &&
		!signing.TypeIn(header, signing.TypeJWT, signing.TypeClientAssertion) {
		return nil, false
	}

	a := &assertion{jws: jws, alg: signing.Algorithm(header.Algorithm), kid: header.KeyID}
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &a.claims); err != nil {
		return nil, false
	}

	return a, true
}

// names reports whether aud is exactly audience (RFC 7523 3). An assertion with several audiences
// could be replayed by one of them at another.
func (a *assertion) names(audience string) bool { return a.claims.Audience.Sole() == audience }

// problem returns what is wrong with the claims, or "" (RFC 7523 3). aud may be any one of
// audiences. The text concerns only what the sender wrote, so it is safe to send to it.
func (a *assertion) problem(now time.Time, audiences ...string) string {
	at := float64(now.UnixMicro()) / 1e6
	c := &a.claims
	switch {
	case c.Issuer != c.Subject:
		return "iss and sub of client_assertion must both be the client_id"
	case c.Audience.Sole() == "" || !slices.ContainsFunc(audiences, a.names):
		return "aud of client_assertion must be the issuer as its only value; the token endpoint is accepted" +
			" where the application is registered with token_endpoint_audience"
	case c.ID == "" || len(c.ID) > maxJTI:
		return "client_assertion needs a jti of at most 1024 bytes"
	case c.ExpiresAt == nil || *c.ExpiresAt <= at:
		return "client_assertion has expired, or has no exp"
	case *c.ExpiresAt > at+(assertionLifetime+assertionSkew).Seconds():
		return "exp of client_assertion is more than 5 minutes ahead"
	case c.NotBefore != nil && *c.NotBefore > at+assertionSkew.Seconds():
		return "client_assertion is not valid yet"
	case c.IssuedAt != nil && (*c.IssuedAt > at+assertionSkew.Seconds() || *c.IssuedAt < at-assertionAge.Seconds()):
		return "iat of client_assertion is in the future or long past"
	default:
		return ""
	}
}

// signedBy reports whether a key of the set made the signature.
func (a *assertion) signedBy(set *KeySet) bool {
	for _, key := range set.candidates(a.alg, a.kid) {
		if _, err := a.jws.Verify(key); err == nil {
			return true
		}
	}
	return false
}

// once returns what to remember of the assertion, and until when. That is longer than the
// assertion is valid, because the clocks of two replicas are never the same.
func (a *assertion) once() (jtiHash []byte, until time.Time) {
	sum := sha256.Sum256([]byte(a.claims.ID))
	// exp is at most assertionLifetime in the future, so it fits.
	return sum[:], time.UnixMicro(int64(*a.claims.ExpiresAt * 1e6)).UTC().Add(assertionSkew)
}
