package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// maxAnswer bounds how much of a response is read, in bytes.
const maxAnswer = 1 << 20

// Options says what to probe, and as which application.
type Options struct {
	// Origin is the platform's public URL without a trailing slash, and Issuer its issuer
	// identifier.
	Origin, Issuer string
	// ClientID is a confidential application with the client credentials grant. If empty,
	// no token is requested.
	ClientID, ClientSecret string
	// Resource is the resource that the token is for (RFC 8707). If empty, it is the
	// application's default.
	Resource string
	// Client sends the requests. It must not follow redirects.
	Client *http.Client
	Now    func() time.Time
}

// Finding is the result of one step.
type Finding struct {
	Step   string `json:"step"`
	Detail string `json:"detail"`
}

// metadata is the part of the metadata that is checked (OpenID Connect Discovery 1.0 3, RFC
// 8414 2).
type metadata struct {
	Issuer        string `json:"issuer"`
	JWKSURI       string `json:"jwks_uri"`
	TokenEndpoint string `json:"token_endpoint"`
}

// Run runs the steps up to the first that fails, and returns what each found. The error
// says what to look at.
func Run(ctx context.Context, o Options) ([]Finding, error) {
	var found []Finding
	add := func(step, format string, args ...any) {
		found = append(found, Finding{Step: step, Detail: fmt.Sprintf(format, args...)})
	}
	m, err := o.discover(ctx)
	if err != nil {
		return found, err
	}

	add("discovery", "issuer %s", m.Issuer)
	keys, err := o.keys(ctx, m.JWKSURI)
	if err != nil {
		return found, err
	}

	add("keys", "%s", describe(keys))

	if o.ClientID == "" {
		return found, nil
	}

	token, err := o.token(ctx, m.TokenEndpoint)
	if err != nil {
		return found, err
	}

	key, err := o.verify(token, keys)
	if err != nil {
		return found, fmt.Errorf("the token of %s: %w", o.ClientID, err)
	}

	add("token", "client credentials of %s, signed with %s by key %s", o.ClientID, key.Algorithm, key.KeyID)
	return found, nil
}

// discover reads the metadata at both its places, which must agree.
func (o Options) discover(ctx context.Context) (metadata, error) {
	var openid, rfc8414 metadata
	if err := o.get(ctx, o.Issuer+"/.well-known/openid-configuration", &openid); err != nil {
		return metadata{}, err
	}

	if openid.Issuer != o.Issuer {
		return metadata{}, fmt.Errorf("the metadata names the issuer %q, not %q: the services have another PLATFORM_PUBLIC_URL", openid.Issuer, o.Issuer)
	}

	for _, endpoint := range []string{openid.JWKSURI, openid.TokenEndpoint} {
		if !strings.HasPrefix(endpoint, o.Origin+"/") {
			return metadata{}, fmt.Errorf("the metadata names %q, which is not under %s", endpoint, o.Origin)
		}
	}

	// RFC 8414 3.1: the well-known part goes between host and path.
	if err := o.get(ctx,
		o.Origin+"/.well-known/oauth-authorization-server"+strings.TrimPrefix(o.Issuer, o.Origin),
		&rfc8414); err != nil {
		return metadata{}, err
	}

	if rfc8414 != openid {
		return metadata{}, errors.New("the authorization server metadata (RFC 8414) and the OpenID configuration disagree: two versions or two platforms are answering")
	}

	return openid, nil
}

func (o Options) keys(ctx context.Context, at string) (*jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	if err := o.get(ctx, at, &set); err != nil {
		return nil, err
	}

	if len(set.Keys) == 0 {
		return nil, fmt.Errorf("%s has no keys: the keys service has not created any, see its log", at)
	}

	for _, key := range set.Keys {
		if !key.IsPublic() || key.KeyID == "" {
			return nil, fmt.Errorf("%s has a key that is private or has no kid", at)
		}
	}

	return &set, nil
}

func describe(set *jose.JSONWebKeySet) string {
	var algorithms []string
	for _, key := range set.Keys {
		algorithms = append(algorithms, key.Algorithm)
	}
	slices.Sort(algorithms)
	return fmt.Sprintf("%d, for %s", len(set.Keys), strings.Join(slices.Compact(algorithms), ", "))
}

// token requests a token (RFC 6749 4.4.2) with client_secret_basic (2.3.1).
func (o Options) token(ctx context.Context, endpoint string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if o.Resource != "" {
		form.Set("resource", o.Resource)
	}

	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}

	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(o.ClientID), url.QueryEscape(o.ClientSecret))
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := o.do(r, &answer); err != nil {
		return "", err
	}

	if answer.AccessToken == "" {
		return "", fmt.Errorf("%s answered without an access_token", endpoint)
	}

	return answer.AccessToken, nil
}

// verify checks a token as a resource server does (RFC 9068 4).
func (o Options) verify(token string, keys *jose.JSONWebKeySet) (jose.JSONWebKey, error) {
	jws, err := jose.ParseSignedCompact(token,
		[]jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA})
	if err != nil || len(jws.Signatures) != 1 {
		return jose.JSONWebKey{}, errors.New("it isn't a signed JWT")
	}

	header := jws.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != signing.TypeAccessToken {
		return jose.JSONWebKey{}, errors.New("its typ is not " + signing.TypeAccessToken)
	}

	matching := keys.Key(header.KeyID)
	if len(matching) != 1 {
		return jose.JSONWebKey{}, fmt.Errorf("its key %q is not published", header.KeyID)
	}

	payload, err := jws.Verify(matching[0])
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("its signature doesn't match key %s", header.KeyID)
	}

	var claims struct {
		Issuer  string `json:"iss"`
		Issued  int64  `json:"iat"`
		Expires int64  `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return jose.JSONWebKey{}, errors.New("its claims aren't JSON")
	}

	now := o.Now().Unix()
	switch {
	case claims.Issuer != o.Issuer:
		return jose.JSONWebKey{}, fmt.Errorf("its issuer is %q", claims.Issuer)
	case claims.Expires <= now:
		return jose.JSONWebKey{}, fmt.Errorf("it expired %d s ago by this machine's clock: one of the clocks is wrong",
			now-claims.Expires)
	case claims.Issued > now+60:
		return jose.JSONWebKey{}, fmt.Errorf("it was issued %d s in the future by this machine's clock: one of the clocks is wrong",
			claims.Issued-now)
	}

	return matching[0], nil
}

func (o Options) get(ctx context.Context, target string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return err
	}
	return o.do(r, into)
}

// do sends a request and reads a JSON response. It shows part of any other response, which
// is the platform's or the ingress's own text and contains no secret.
func (o Options) do(r *http.Request, into any) error {
	res, err := o.Client.Do(r) //nolint:gosec // the metadata must be of the origin that the operator names
	if err != nil {
		return err // net/http includes the URL in the error
	}

	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s: %w", r.URL, err)
	}

	if res.StatusCode != http.StatusOK {
		said := strings.Join(strings.Fields(string(body)), " ")
		return fmt.Errorf("%s returned %s: %.200s", r.URL, res.Status, said)
	}

	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s returned something other than the platform's JSON: does the ingress route this path to another service?", r.URL)
	}

	return nil
}
