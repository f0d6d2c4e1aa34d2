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
		{"name", "name", &f.Name, "what people read"},
		{"type", "type", &f.Type, "WEB, SPA, NATIVE or SERVICE"},
		{"tenant", "tenant", &f.Tenant, "slug of the one tenant that it serves (default: every tenant)"},
		{"grants", "grant", &f.Grants, oneOf(oauth.GrantNames())},
		{"scopes", "scope", &f.Scopes, "scope that it may ask for"},
		{"redirect_uris", "redirect-uri", &f.RedirectURIs, "where codes may be sent"},
		{"post_logout_redirect_uris", "post-logout-redirect-uri", &f.PostLogoutRedirectURIs, "where a logout may lead"},
		{"backchannel_logout_uri", "backchannel-logout-uri", &f.BackchannelLogoutURI, "where it hears of logouts"},
		{"audiences", "audience", &f.Audiences, "resource that it may ask for"},
		{
			"default_audience", "default-audience", &f.DefaultAudience,
			"aud when no resource is asked for (default: the issuer)",
		},
		{
			"resources_served", "resource-served", &f.ResourcesServed,
			"resource whose tokens it may introspect and exchange",
		},
		{"cors_origins", "cors-origin", &f.CORSOrigins, "origin of its pages, for SPA"},
		{"first_party", "first-party", &f.FirstParty, "ask people for no consent"},
		{
			"allow_localhost_redirect", "allow-localhost-redirect", &f.AllowLocalhostRedirect,
			"a NATIVE application may redirect to any port of localhost, as of 127.0.0.1",
		},
		{
			"allow_undotted_schemes", "allow-undotted-schemes", &f.AllowUndottedSchemes,
			"a NATIVE application may have private-use redirect schemes without a period, such as myapp:/callback",
		},
		{"id_token_claims", "id-token-claims", &f.IDTokenClaims, "put the claims of scopes into the ID token too"},
		{
			"device_requires_auth", "device-requires-auth", &f.DeviceRequiresAuth,
			"ask it for its secret at device authorization",
		},
		{
			"access_token_alg", "access-token-alg", &f.AccessTokenAlg,
			"RS256, PS256, ES256 or EdDSA (default: the platform's)",
		},
		{"id_token_alg", "id-token-alg", &f.IDTokenAlg, "as --access-token-alg"},
		{
			"access_token_ttl", "access-token-ttl", &f.AccessTokenTTL,
			"life of an access token (default: the platform's)",
		},
		{
			"refresh_token_ttl", "refresh-token-ttl", &f.RefreshTokenTTL,
			"life of a refresh token family (default: the platform's)",
		},
		{
			"refresh_idle_ttl", "refresh-idle-ttl", &f.RefreshIdleTTL,
			"a refresh token ends when unused for so long (default: the platform's)",
		},
		{
			"refresh_grace", "refresh-grace", grace,
			"how long a rotated refresh token still answers; 0s: not at all (default: the platform's)",
		},
		{
			"jwks", "jwks", keys,
			"file that holds the public keys that it authenticates with (a JWK Set), by private_key_jwt and without a secret",
		},
		{"jwks_uri", "jwks-uri", &f.JWKSURI, "where it publishes such keys"},
		{
			"token_endpoint_audience", "token-endpoint-audience", &f.TokenEndpointAudience,
			"its assertions may name the token endpoint as aud, not only the issuer",
		},
		{
			"development", "development", &f.Development,
			"it is being built: it may redirect to http on loopback whatever its type, and people are told",
		},
		{
			"initiate_login_uri", "initiate-login-uri", &f.InitiateLoginURI,
			"page of its own where a person begins to sign in; error pages lead there",
		},
		{
			"client_secret_file", "client-secret-file", &f.ClientSecretFile,
			"file that holds its secret (default: one is generated)",
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
		return nil, fmt.Errorf("the key set cannot be read: %w", err)
	}

	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, maxKeySet+1))
	if err != nil {
		return nil, fmt.Errorf("the key set cannot be read: %w", err)
	}

	var set any
	if len(content) > maxKeySet || json.Unmarshal(content, &set) != nil || set == nil {
		return nil, usageError{fmt.Errorf("nothing was created:\n  --jwks: %s is not a JSON document of at most %d bytes", file, maxKeySet)}
	}

	return set, nil
}
