package domain

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Types of the JOSE header (RFC 9068 2.1, RFC 7519 5.1).
const (
	TypeAccessToken = "at+jwt"
	TypeIDToken     = "JWT"
)

// Audience is the aud claim: one string where there is one (RFC 7519 4.1.3).
type Audience []string

// MarshalJSON implements [json.Marshaler].
func (a Audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (a *Audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = Audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// Has reports whether the token is for audience.
func (a Audience) Has(audience string) bool { return slices.Contains(a, audience) }

// AccessToken is the payload of an access token (RFC 9068 2.2). Times are seconds
// since 1970.
type AccessToken struct {
	Issuer        string   `json:"iss"`
	Subject       string   `json:"sub"`
	Audience      Audience `json:"aud"`
	ExpiresAt     int64    `json:"exp"`
	IssuedAt      int64    `json:"iat"`
	NotBefore     int64    `json:"nbf,omitempty"` // not issued: a resource server with a slow clock would refuse it
	ID            string   `json:"jti"`
	GrantID       string   `json:"gid,omitempty"`
	ClientID      string   `json:"client_id"`
	Scope         string   `json:"scope,omitempty"`
	AuthTime      int64    `json:"auth_time,omitempty"`
	ACR           string   `json:"acr,omitempty"`
	AMR           []string `json:"amr,omitempty"`
	SessionID     string   `json:"sid,omitempty"`
	TenantID      string   `json:"tenant_id,omitempty"`
	TenantSlug    string   `json:"tenant_slug,omitempty"`
	AppScope      string   `json:"app_scope"`
	PlatformToken bool     `json:"platform_token,omitempty"`
	// Actor and MayAct are RFC 8693 4.1 and 4.4: who acts for the subject, and who
	// alone may come to.
	Actor  *Actor          `json:"act,omitempty"`
	MayAct json.RawMessage `json:"may_act,omitempty"`
	// ExchangedFrom is the jti of the token that this one was exchanged for, and of
	// those which that one was exchanged for in turn. It dies with any of them.
	ExchangedFrom []string `json:"exchanged_from,omitempty"`
}

// Lineage is the jti of the token and of all that it was exchanged from. A token that
// has none, as an ID token, adds nothing.
func (t *AccessToken) Lineage() []string {
	if t.ID == "" {
		return t.ExchangedFrom
	}
	return append([]string{t.ID}, t.ExchangedFrom...)
}

// Person is the user whom the token stands for; empty where an application acts
// in its own name.
func (t *AccessToken) Person() string {
	if t.GrantID == "" {
		return ""
	}
	return t.Subject
}

// IDToken is the payload of an ID token (OpenID Connect Core 2). Times are
// seconds since 1970.
type IDToken struct {
	Issuer          string   `json:"iss"`
	Subject         string   `json:"sub"`
	Audience        Audience `json:"aud"`
	AuthorizedParty string   `json:"azp"`
	ExpiresAt       int64    `json:"exp"`
	IssuedAt        int64    `json:"iat"`
	AuthTime        int64    `json:"auth_time"`
	Nonce           string   `json:"nonce,omitempty"`
	AccessTokenHash string   `json:"at_hash"`
	SessionID       string   `json:"sid,omitempty"`
	GrantID         string   `json:"gid,omitempty"`
	ACR             string   `json:"acr,omitempty"`
	AMR             []string `json:"amr,omitempty"`
	TenantID        string   `json:"tenant_id,omitempty"`
	TenantSlug      string   `json:"tenant_slug,omitempty"`

	// Person are claims about the person, for applications that want them here
	// and not at userinfo. They never replace one of the above.
	Person map[string]any `json:"-"`
}

// MarshalJSON implements [json.Marshaler].
func (t IDToken) MarshalJSON() ([]byte, error) {
	type plain IDToken // without this method
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

// AccessTokenHash is at_hash: the left half of the token's hash by the hash
// function of the ID token's algorithm (OpenID Connect Core 3.1.3.6); for Ed25519
// that is SHA-512 (RFC 8032 5.1).
func AccessTokenHash(alg signing.Algorithm, accessToken string) string {
	if alg == signing.EdDSA {
		sum := sha512.Sum512([]byte(accessToken))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
