package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func (a *app) appCreate() *cobra.Command {
	var f manifest.Application
	var grace manifest.Duration
	var keys string
	cmd := &cobra.Command{
		Use:   "create CLIENT_ID",
		Short: "Create an application",
		Long: `Create an application, by the rules of the declarative file. A WEB or SERVICE
application without --client-secret-file, --jwks and --jwks-uri is given a
generated secret, which is printed once; SPA and NATIVE ones are public and have
none.

` + noticeBound,
		Example: `  platform app create billing-web --name Billing --type WEB --grant authorization_code \
      --scope openid --scope email --redirect-uri https://billing.test/callback
  platform app create nightly --name "Nightly job" --type SERVICE --tenant acme --grant client_credentials
  platform app create ledger --name Ledger --type SERVICE --grant client_credentials --jwks ledger.jwks.json`,
		Args: oneArgument("CLIENT_ID"),
	}

	fields := applicationFields(&f, &grace, &keys)
	bind(cmd, fields)
	dryRun := dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f.ClientID, f.ScopeLevel = args[0], string(directory.Global)
		if f.Tenant != "" {
			f.ScopeLevel = string(directory.TenantScoped)
		}

		if cmd.Flags().Changed("refresh-grace") {
			f.RefreshGrace = &grace
		}

		var err error
		if f.JWKS, err = readKeySet(keys); err != nil {
			return err
		}

		return a.create(cmd, manifest.File{Applications: []manifest.Application{f}}, *dryRun, fields)
	}

	return cmd
}

// applicationFields returns the flags of an application. The grace and the name of the key set's
// file aren't yet in the form that f has them in.
func applicationFields(f *manifest.Application, grace *manifest.Duration, keys *string) []field {
	return []field{
		{"name", "name", &f.Name, "display name"},
		{"type", "type", &f.Type, "WEB, SPA, NATIVE or SERVICE"},
		{"tenant", "tenant", &f.Tenant, "slug of the only tenant it serves (default: all tenants)"},
		{"grants", "grant", &f.Grants, oneOf(oauth.GrantNames())},
		{"scopes", "scope", &f.Scopes, "scope it may request"},
		{"redirect_uris", "redirect-uri", &f.RedirectURIs, "redirect URI"},
		{"post_logout_redirect_uris", "post-logout-redirect-uri", &f.PostLogoutRedirectURIs, "redirect URI after a logout"},
		{"backchannel_logout_uri", "backchannel-logout-uri", &f.BackchannelLogoutURI, "endpoint that receives back-channel logout tokens"},
		{"audiences", "audience", &f.Audiences, "resource it may request tokens for"},
		{
			"default_audience", "default-audience", &f.DefaultAudience,
			"aud of tokens if no resource is requested (default: the issuer)",
		},
		{
			"resources_served", "resource-served", &f.ResourcesServed,
			"resource whose tokens it may introspect and exchange",
		},
		{"cors_origins", "cors-origin", &f.CORSOrigins, "origin of its pages (SPA)"},
		{"first_party", "first-party", &f.FirstParty, "don't ask people for consent"},
		{
			"allow_localhost_redirect", "allow-localhost-redirect", &f.AllowLocalhostRedirect,
			"let a NATIVE application redirect to any port of localhost, as of 127.0.0.1",
		},
		{
			"allow_undotted_schemes", "allow-undotted-schemes", &f.AllowUndottedSchemes,
			"let a NATIVE application have redirect schemes without a period, such as myapp:/callback",
		},
		{"id_token_claims", "id-token-claims", &f.IDTokenClaims, "also put the scopes' claims into the ID token"},
		{
			"device_requires_auth", "device-requires-auth", &f.DeviceRequiresAuth,
			"require client authentication at device authorization",
		},
		{
			"access_token_alg", "access-token-alg", &f.AccessTokenAlg,
			"RS256, PS256, ES256 or EdDSA (default: the platform's)",
		},
		{"id_token_alg", "id-token-alg", &f.IDTokenAlg, "RS256, PS256, ES256 or EdDSA (default: the platform's)"},
		{
			"access_token_ttl", "access-token-ttl", &f.AccessTokenTTL,
			"lifetime of access tokens (default: the platform's)",
		},
		{
			"refresh_token_ttl", "refresh-token-ttl", &f.RefreshTokenTTL,
			"lifetime of a refresh token family (default: the platform's)",
		},
		{
			"refresh_idle_ttl", "refresh-idle-ttl", &f.RefreshIdleTTL,
			"idle time after which a refresh token expires (default: the platform's)",
		},
		{
			"refresh_grace", "refresh-grace", grace,
			"how long a rotated refresh token is still accepted, 0s for never (default: the platform's)",
		},
		{
			"jwks", "jwks", keys,
			"file with its public keys (a JWK Set) for private_key_jwt, instead of a secret",
		},
		{"jwks_uri", "jwks-uri", &f.JWKSURI, "URL of its public keys (a JWK Set) for private_key_jwt, instead of a secret"},
		{
			"token_endpoint_audience", "token-endpoint-audience", &f.TokenEndpointAudience,
			"accept assertions whose aud is the token endpoint, not only the issuer",
		},
		{
			"development", "development", &f.Development,
			"under development: it may redirect to http on loopback whatever its type, and people are told",
		},
		{
			"initiate_login_uri", "initiate-login-uri", &f.InitiateLoginURI,
			"its own page where people start to sign in; error pages link to it",
		},
		{
			"client_secret_file", "client-secret-file", &f.ClientSecretFile,
			"file with its secret (default: one is generated)",
		},
	}
}

// maxKeySet bounds a key set file, in bytes. It is far more than the 64 keys that an
// application may have.
const maxKeySet = 256 << 10

// readKeySet reads the file of --jwks. It returns nil without one. The content is validated
// with the other flags and is never printed, because it may be a private key by mistake.
func readKeySet(file string) (any, error) {
	if file == "" {
		return nil, nil
	}

	f, err := os.Open(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}

	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, maxKeySet+1))
	if err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}

	var set any
	if len(content) > maxKeySet || json.Unmarshal(content, &set) != nil || set == nil {
		return nil, usageError{fmt.Errorf("nothing was created:\n  --jwks: %s isn't a JSON document of at most %d bytes", file, maxKeySet)}
	}

	return set, nil
}
