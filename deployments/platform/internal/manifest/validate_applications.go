package manifest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// minSecret is the shortest client secret that may be chosen by hand. A secret is stored as
// a single SHA-256, which only protects a secret that can't be guessed.
const minSecret = 32

// maxSecret bounds what is read from a secret file, in bytes.
const maxSecret = 4096

var clientIDForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,128}$`)

var grantNames = map[string]oauth.GrantType{
	"authorization_code": oauth.GrantAuthorizationCode,
	"refresh_token":      oauth.GrantRefreshToken,
	"client_credentials": oauth.GrantClientCredentials,
	"device_code":        oauth.GrantDeviceCode,
	"token_exchange":     oauth.GrantTokenExchange,
}

// GrantName returns the file's spelling of a grant type.
func GrantName(grant oauth.GrantType) string {
	for name, g := range grantNames {
		if g == grant {
			return name
		}
	}
	return string(grant)
}

func (c *checker) applications() {
	ids := map[string]bool{}
	for i := range c.doc.Applications {
		a, at := &c.doc.Applications[i], fmt.Sprintf("applications[%d]", i)
		switch {
		case !clientIDForm.MatchString(a.ClientID):
			c.refuse(at+".client_id", "must be 1 to 128 letters, digits and . _ ~ -")
		case strings.HasPrefix(a.ClientID, "usr_") || strings.HasPrefix(a.ClientID, "tnt_"):
			c.refuse(at+".client_id", "must not look like the id of a user or tenant")
		case ids[a.ClientID]:
			c.refuse(at+".client_id", "application %q appears twice", a.ClientID)
		}

		ids[a.ClientID] = true

		if strings.TrimSpace(a.Name) == "" {
			c.refuse(at+".name", "is required")
		}

		c.lookAlike(at+".name", a.Name)
		c.kind(a, at)
		c.secret(a, at)
		c.uris(a, at)
		c.beginning(a, at)
		c.permissions(a, at)
		c.tokens(a, at)
	}
}

func public(a *Application) bool {
	return a.Type == string(directory.SPA) || a.Type == string(directory.Native)
}

func (c *checker) kind(a *Application, at string) {
	switch directory.ApplicationType(a.Type) {
	case directory.Web, directory.Service, directory.SPA, directory.Native:
	default:
		c.refuse(at+".type", "must be WEB, SPA, NATIVE or SERVICE")
	}

	switch directory.ScopeLevel(a.ScopeLevel) {
	case directory.Global:
		if a.Tenant != "" {
			c.refuse(at+".tenant", "is for scope_level TENANT only")
		}
	case directory.TenantScoped:
		if a.Tenant == "" {
			c.refuse(at+".tenant", "is required for scope_level TENANT")
		}
	default:
		c.refuse(at+".scope_level", "must be GLOBAL or TENANT")
	}
}

func (c *checker) secret(a *Application, at string) {
	given := 0
	for _, s := range []string{a.ClientSecret, a.ClientSecretFile, a.ClientSecretHash} {
		if s != "" {
			given++
		}
	}

	switch {
	case given > 1:
		c.refuse(at+".client_secret", "give one of client_secret, client_secret_file and client_secret_hash")
	case given > 0 && public(a):
		c.refuse(at+".client_secret", "a %s application is public and can't keep a secret (RFC 6749 2.1)", a.Type)
	case a.ClientSecret != "":
		c.strength(at+".client_secret", a.ClientSecret)
	case a.ClientSecretFile != "":
		c.secretFile(a, at+".client_secret_file")
	case a.ClientSecretHash != "":
		if _, err := decodeHash(a.ClientSecretHash); err != nil {
			c.refuse(at+".client_secret_hash", "%v", err)
		}
	}

	c.keys(a, at)
}

// secretFile reads a secret from its file, before anything is written.
func (c *checker) secretFile(a *Application, path string) {
	f, err := os.Open(a.ClientSecretFile)
	if err != nil {
		c.refuse(path, "cannot be read: %v", err)
		return
	}

	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	secret := strings.TrimRight(string(bytes.TrimPrefix(content, byteOrderMark)), "\r\n")
	switch {
	case err != nil:
		c.refuse(path, "cannot be read: %v", err)
	case secret == "":
		c.refuse(path, "names an empty file: write the secret to it")
	case len(secret) > maxSecret:
		c.refuse(path, "names a file of more than %d bytes, which can't be a secret", maxSecret)
	default:
		c.strength(path, secret)
		c.secrets[a.ClientID] = secret
	}
}

func (c *checker) strength(path, secret string) {
	if len(secret) < minSecret && !c.rules.Loopback {
		c.refuse(path, "has fewer than %d characters: leave it out to have one generated", minSecret)
	}
}

// decodeHash decodes "sha256:" followed by 64 hexadecimal digits.
func decodeHash(s string) ([]byte, error) {
	digits, ok := strings.CutPrefix(s, "sha256:")
	hash, err := hex.DecodeString(digits)
	if !ok || err != nil || len(hash) != 32 {
		return nil, errors.New("must be sha256: and the 64 hexadecimal digits of the secret's SHA-256")
	}
	return hash, nil
}

func (c *checker) uris(a *Application, at string) {
	native := a.Type == string(directory.Native)
	for key, uris := range map[string][]string{
		".redirect_uris":             a.RedirectURIs,
		".post_logout_redirect_uris": a.PostLogoutRedirectURIs,
	} {
		for i, uri := range uris {
			where := fmt.Sprintf("%s%s[%d]", at, key, i)
			err := oauth.ValidateRedirectURI(uri, native)
			if native && a.AllowUndottedSchemes {
				err = oauth.ValidateUndottedRedirectURI(uri)
			}

			if err != nil {
				c.refuse(where, "%v", err)
				continue
			}

			c.loopback(a, where, uri)
		}

		c.twice(at+key, uris)
	}

	if a.AllowUndottedSchemes && !native {
		c.refuse(at+".allow_undotted_schemes", "is for NATIVE applications only: others can't have private-use schemes")
	}

	if slices.Contains(a.Grants, "authorization_code") && len(a.RedirectURIs) == 0 {
		c.refuse(at+".redirect_uris", "the authorization_code grant needs at least one")
	}

	if uri := a.BackchannelLogoutURI; uri != "" {
		if u, err := url.Parse(uri); err != nil || u.Host == "" || strings.Contains(uri, "#") ||
			(u.Scheme != "https" && (u.Scheme != "http" || !c.rules.Loopback)) {
			c.refuse(at+".backchannel_logout_uri", "must be an https URL without a fragment")
		}
	}

	for i, origin := range a.CORSOrigins {
		// An origin must be written as browsers send it (RFC 6454 6.2), and http is allowed
		// only for loopback here too.
		u, err := url.Parse(origin)
		if err != nil || origin != strings.ToLower(u.Scheme+"://"+u.Host) ||
			oauth.ValidateRedirectURI(origin, false) != nil {
			c.refuse(fmt.Sprintf("%s.cors_origins[%d]", at, i), "must be an origin such as https://app.example.com")
			continue
		}
		c.loopback(a, fmt.Sprintf("%s.cors_origins[%d]", at, i), origin)
	}

	c.twice(at+".cors_origins", a.CORSOrigins)
}

// loopback rejects http on loopback for applications that are neither NATIVE nor in
// development, because any program on a person's device could take the place of the server
// or the page.
func (c *checker) loopback(a *Application, where, uri string) {
	app := directory.Application{Type: directory.ApplicationType(a.Type), Development: a.Development}
	if !c.rules.Loopback && app.MisplacedLoopback(uri) {
		c.refuse(where,
			"is http on loopback, which only NATIVE applications may have (RFC 8252 7.3): use https, or set development: true during development")
	}
}

// beginning checks initiate_login_uri, the application's own page where a person begins to
// sign in.
func (c *checker) beginning(a *Application, at string) {
	uri := a.InitiateLoginURI
	if uri == "" {
		return
	}

	if err := oauth.ValidateRedirectURI(uri, false); err != nil {
		c.refuse(at+".initiate_login_uri", "%v", err)
		return
	}

	c.loopback(a, at+".initiate_login_uri", uri)
}

func (c *checker) permissions(a *Application, at string) {
	for i, name := range a.Grants {
		where := fmt.Sprintf("%s.grants[%d]", at, i)
		if _, ok := grantNames[name]; !ok {
			c.refuse(where,
				"%q isn't a grant: want authorization_code, refresh_token, client_credentials, device_code or token_exchange",
				name)
		}
		if public(a) && (name == "client_credentials" || name == "token_exchange") {
			c.refuse(where, "a %s application is public and can't authenticate (RFC 6749 4.4)", a.Type)
		}
	}

	c.twice(at+".grants", a.Grants)

	for i, scope := range a.Scopes {
		if parsed, ok := oauth.ParseScopes(scope); !ok || len(parsed) != 1 || parsed[0] != scope {
			c.refuse(fmt.Sprintf("%s.scopes[%d]", at, i), "isn't a scope token (RFC 6749 3.3)")
		}
	}

	c.twice(at+".scopes", a.Scopes)
	resources := map[string][]string{".audiences": a.Audiences, ".resources_served": a.ResourcesServed}
	if a.DefaultAudience != "" {
		resources[".default_audience"] = []string{a.DefaultAudience}
	}

	for key, uris := range resources {
		for i, uri := range uris {
			where := fmt.Sprintf("%s%s[%d]", at, key, i)
			if key == ".default_audience" {
				where = at + key
			}
			if u, err := url.Parse(uri); err != nil || !u.IsAbs() || strings.Contains(uri, "#") {
				c.refuse(where, "must be an absolute URI without a fragment (RFC 8707 2)")
			}
			if key == ".resources_served" && c.rules.Issuer != "" && strings.TrimSuffix(uri, "/") == c.rules.Issuer {
				c.refuse(where,
					"must not be the issuer, which is the audience of other applications' tokens")
			}
		}

		if key != ".default_audience" {
			c.twice(at+key, uris)
		}
	}
}

// maxAccessTokenTTL is also the limit of the platform's own setting, and the keys service
// relies on it when it withdraws a key.
const maxAccessTokenTTL = 24 * time.Hour

func (c *checker) tokens(a *Application, at string) {
	for key, alg := range map[string]string{".access_token_alg": a.AccessTokenAlg, ".id_token_alg": a.IDTokenAlg} {
		switch signing.Algorithm(alg) {
		case "", signing.RS256, signing.PS256, signing.ES256, signing.EdDSA:
		default:
			c.refuse(at+key, "must be RS256, PS256, ES256 or EdDSA")
		}
	}

	for key, d := range map[string]Duration{
		".access_token_ttl":  a.AccessTokenTTL,
		".refresh_token_ttl": a.RefreshTokenTTL,
		".refresh_idle_ttl":  a.RefreshIdleTTL,
	} {
		// Zero stands for the platform's default, so an explicit zero is a mistake.
		if d < 0 || time.Duration(d)%time.Second != 0 || (d == 0 && c.has(at+key)) {
			c.refuse(at+key, "must be one or more whole seconds")
		}
	}

	if time.Duration(a.AccessTokenTTL) > maxAccessTokenTTL {
		c.refuse(at+".access_token_ttl", "must be at most 24h, because its signing key is not published for longer")
	}

	if a.RefreshIdleTTL > a.RefreshTokenTTL && a.RefreshTokenTTL > 0 {
		c.refuse(at+".refresh_idle_ttl", "is more than refresh_token_ttl, so it would have no effect")
	}

	if g := a.RefreshGrace; g != nil && (*g < 0 || time.Duration(*g) > time.Minute ||
		time.Duration(*g)%time.Millisecond != 0) {
		c.refuse(at+".refresh_grace", "must be between 0s and 1m, in whole milliseconds")
	}
}
