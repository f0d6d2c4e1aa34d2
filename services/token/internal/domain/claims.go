package domain

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// AccessToken is the payload of an access token (RFC 9068 2.2). Times are in seconds since
// 1970.
type AccessToken struct {
	Issuer        string           `json:"iss"`
	Subject       string           `json:"sub"`
	Audience      signing.Audience `json:"aud"`
	ExpiresAt     int64            `json:"exp"`
	IssuedAt      int64            `json:"iat"`
	NotBefore     int64            `json:"nbf,omitempty"` // not issued: resource servers with a slow clock would refuse it
	ID            string           `json:"jti"`
	GrantID       string           `json:"gid,omitempty"`
	ClientID      string           `json:"client_id"`
	Scope         string           `json:"scope,omitempty"`
	AuthTime      int64            `json:"auth_time,omitempty"`
	ACR           string           `json:"acr,omitempty"`
	AMR           []string         `json:"amr,omitempty"`
	SessionID     string           `json:"sid,omitempty"`
	TenantID      string           `json:"tenant_id,omitempty"`
	TenantSlug    string           `json:"tenant_slug,omitempty"`
	AppScope      string           `json:"app_scope"`
	PlatformToken bool             `json:"platform_token,omitempty"`
	// Actor and MayAct are the claims of RFC 8693 4.1 and 4.4: the party that acts for the
	// subject, and the only party that may do so in the future.
	Actor  *Actor          `json:"act,omitempty"`
	MayAct json.RawMessage `json:"may_act,omitempty"`
	// ExchangedFrom lists the jti of the token that this one was exchanged for, and of the
	// tokens that one was exchanged for in turn. The token ends when any of them does.
	ExchangedFrom []string `json:"exchanged_from,omitempty"`
}

// Lineage returns the jti of the token and of all tokens that it was exchanged from. A
// token without a jti, such as an ID token, adds none.
func (t *AccessToken) Lineage() []string {
	if t.ID == "" {
		return t.ExchangedFrom
	}
	return append([]string{t.ID}, t.ExchangedFrom...)
}

// Person returns the user that the token stands for, or "" if an application acts in its
// own name.
func (t *AccessToken) Person() string {
	if t.GrantID == "" {
		return ""
	}
	return t.Subject
}

// IDToken is the payload of an ID token (OpenID Connect Core 2). Times are in seconds since
// 1970.
type IDToken struct {
	Issuer          string           `json:"iss"`
	Subject         string           `json:"sub"`
	Audience        signing.Audience `json:"aud"`
	AuthorizedParty string           `json:"azp"`
	ExpiresAt       int64            `json:"exp"`
	IssuedAt        int64            `json:"iat"`
	AuthTime        int64            `json:"auth_time"`
	Nonce           string           `json:"nonce,omitempty"`
	AccessTokenHash string           `json:"at_hash"`
	SessionID       string           `json:"sid,omitempty"`
	GrantID         string           `json:"gid,omitempty"`
	ACR             string           `json:"acr,omitempty"`
	AMR             []string         `json:"amr,omitempty"`
	TenantID        string           `json:"tenant_id,omitempty"`
	TenantSlug      string           `json:"tenant_slug,omitempty"`

	// Person holds claims about the person, for applications that want them here rather than at
	// userinfo. They never replace one of the above.
	Person map[string]any `json:"-"`
}

// MarshalJSON implements [json.Marshaler].
func (t IDToken) MarshalJSON() ([]byte, error) {
	type plain IDToken // without the MarshalJSON method
	b, err := json.Marshal(plain(t))
	if err != nil || len(t.Person) == 0 {
		return b, err
	}

	all := make(map[string]any, len(t.Person)+14)
	for name, value := range t.Person {
		all[name] = value
	}

	var own map[string]json.RawMessage
	if err := json.Unmarshal(b, &own); err != nil {
		return nil, err
	}

	for name, value := range own {
		all[name] = value
	}

	return json.Marshal(all)
}

// AccessTokenHash returns at_hash: the left half of the access token's hash, computed with
// the hash function of the ID token's algorithm (OpenID Connect Core 3.1.3.6). For Ed25519
// that is SHA-512 (RFC 8032 5.1).
func AccessTokenHash(alg signing.Algorithm, accessToken string) string {
	if alg == signing.EdDSA {
		sum := sha512.Sum512([]byte(accessToken))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
