package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/admin"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// noticeBound explains in --help how soon running services notice; see changes.Bound.
const noticeBound = "Running services see the change at once if the database can notify them, and within 5 seconds otherwise."

func (a *app) applications() *cobra.Command {
	return a.group("app", "Create, show and disable applications, and replace their secrets",
		"Manage applications (OAuth clients). To change other settings of an existing one, use `platform apply`.\n\n"+
			noticeBound,
		"  platform app list\n  platform app rotate-secret billing-web",
		a.appCreate(), a.appList(), a.appShow(), a.appRotate(), a.appDisable(), a.appEnable(), a.appRevoke())
}

func (a *app) appCreate() *cobra.Command {
	var f manifest.Application
	var grace manifest.Duration
	var keys string
	cmd := &cobra.Command{
		Use:   "create CLIENT_ID",
		Short: "Create an application",
		Long: `Create an application by the rules of the declarative file. A WEB or SERVICE
application without --client-secret-file, --jwks or --jwks-uri gets a generated
secret, which is printed once. SPA and NATIVE applications are public and have no
secret.

` + noticeBound,
		Example: `  platform app create billing-web --name Billing --type WEB --grant authorization_code \
      --scope openid --scope email --redirect-uri https://billing.test/callback
  platform app create nightly --name "Nightly job" --type SERVICE --tenant acme --grant client_credentials
  platform app create ledger --name Ledger --type SERVICE --grant client_credentials --jwks ledger.jwks.json`,
		Args: oneArgument("CLIENT_ID"),
	}

	fields := []field{
		{"name", "name", &f.Name, "display name"},
		{"type", "type", &f.Type, "WEB, SPA, NATIVE or SERVICE"},
		{"tenant", "tenant", &f.Tenant, "slug of the only tenant it serves (default: all tenants)"},
		{
			"grants", "grant", &f.Grants,
			"authorization_code, refresh_token, client_credentials, device_code or token_exchange",
		},
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
			"refresh_grace", "refresh-grace", &grace,
			"how long a rotated refresh token is still accepted, 0s for never (default: the platform's)",
		},
		{
			"jwks", "jwks", &keys,
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

// applicationView is an application as commands show it, with the declarative file's names.
type applicationView struct {
	ClientID               string          `json:"client_id"`
	Name                   string          `json:"name"`
	Type                   string          `json:"type"`
	ScopeLevel             string          `json:"scope_level" table:"-"`
	Tenant                 string          `json:"tenant,omitempty"`
	Enabled                bool            `json:"enabled"`
	Grants                 []string        `json:"grants"`
	Scopes                 []string        `json:"scopes" table:"-"`
	RedirectURIs           []string        `json:"redirect_uris,omitempty" table:"-"`
	PostLogoutRedirectURIs []string        `json:"post_logout_redirect_uris,omitempty" table:"-"`
	BackchannelLogoutURI   string          `json:"backchannel_logout_uri,omitempty" table:"-"`
	Audiences              []string        `json:"audiences,omitempty" table:"-"`
	DefaultAudience        string          `json:"default_audience,omitempty" table:"-"`
	ResourcesServed        []string        `json:"resources_served,omitempty" table:"-"`
	CORSOrigins            []string        `json:"cors_origins,omitempty" table:"-"`
	FirstParty             bool            `json:"first_party" table:"-"`
	AllowLocalhostRedirect bool            `json:"allow_localhost_redirect" table:"-"`
	AllowUndottedSchemes   bool            `json:"allow_undotted_schemes,omitempty" table:"-"`
	IDTokenClaims          bool            `json:"id_token_claims" table:"-"`
	DeviceRequiresAuth     bool            `json:"device_requires_auth" table:"-"`
	TokenEndpointAudience  bool            `json:"token_endpoint_audience,omitempty" table:"-"`
	AccessTokenAlg         string          `json:"access_token_alg,omitempty" table:"-"`
	IDTokenAlg             string          `json:"id_token_alg,omitempty" table:"-"`
	AccessTokenTTL         string          `json:"access_token_ttl,omitempty" table:"-"`
	RefreshTokenTTL        string          `json:"refresh_token_ttl,omitempty" table:"-"`
	RefreshIdleTTL         string          `json:"refresh_idle_ttl,omitempty" table:"-"`
	RefreshGrace           string          `json:"refresh_grace,omitempty" table:"-"`
	JWKS                   json.RawMessage `json:"jwks,omitempty" table:"-"`
	JWKSURI                string          `json:"jwks_uri,omitempty" table:"-"`
	Development            bool            `json:"development,omitempty" table:"-"`
	InitiateLoginURI       string          `json:"initiate_login_uri,omitempty" table:"-"`
	Secrets                []secretView    `json:"secrets,omitempty" table:"-"`
}

// secretView holds what can be shown of a secret.
type secretView struct {
	ID        string    `json:"id"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

func viewApplication(app *directory.Application, slugs map[string]string) applicationView {
	v := applicationView{
		ClientID:               app.ClientID,
		Name:                   app.Name,
		Type:                   string(app.Type),
		ScopeLevel:             string(app.ScopeLevel),
		Tenant:                 slugs[app.TenantID],
		Enabled:                app.Active,
		Grants:                 []string{},
		Scopes:                 app.Scopes,
		RedirectURIs:           app.RedirectURIs,
		PostLogoutRedirectURIs: app.PostLogoutRedirectURIs,
		BackchannelLogoutURI:   app.BackchannelLogoutURI,
		Audiences:              app.Audiences,
		DefaultAudience:        app.DefaultAudience,
		ResourcesServed:        app.ResourcesServed,
		CORSOrigins:            app.CORSOrigins,
		FirstParty:             app.FirstParty,
		AllowLocalhostRedirect: app.AllowLocalhostRedirect,
		AllowUndottedSchemes:   app.AllowUndottedSchemes,
		IDTokenClaims:          app.IDTokenClaims,
		DeviceRequiresAuth:     app.DeviceRequiresAuth,
		TokenEndpointAudience:  app.TokenEndpointAudience,
		AccessTokenAlg:         app.AccessTokenAlg,
		IDTokenAlg:             app.IDTokenAlg,
		AccessTokenTTL:         lasting(app.AccessTokenTTL),
		RefreshTokenTTL:        lasting(app.RefreshTokenTTL),
		RefreshIdleTTL:         lasting(app.RefreshIdleTTL),
		JWKS:                   app.JWKS,
		JWKSURI:                app.JWKSURI,
		Development:            app.Development,
		InitiateLoginURI:       app.InitiateLoginURI,
	}
	for _, g := range app.Grants {
		v.Grants = append(v.Grants, manifest.GrantName(g))
	}

	if app.RefreshGrace != nil {
		v.RefreshGrace = app.RefreshGrace.String()
	}

	for _, s := range app.Secrets {
		v.Secrets = append(v.Secrets, secretView{ID: s.ID, ExpiresAt: s.ExpiresAt})
	}

	return v
}

// lasting formats a duration, or returns "" for the platform's default.
func lasting(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// slugs returns the tenants' slugs by id.
func (o *operation) slugs(ctx context.Context) (map[string]string, error) {
	tenants, err := o.reader().Tenants(ctx)
	if err != nil {
		return nil, err
	}

	slugs := map[string]string{}
	for _, t := range tenants {
		slugs[t.ID] = t.Slug
	}
	return slugs, nil
}

func (a *app) appList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List applications",
		Long:    "List all applications, disabled ones included.",
		Example: "  platform app list --output json",
		Args:    a.noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.operate(cmd.Context(), func(ctx context.Context, o *operation) error {
				slugs, err := o.slugs(ctx)
				if err != nil {
					return err
				}

				apps, err := o.reader().Applications(ctx)
				if err != nil {
					return err
				}

				views := make([]applicationView, len(apps))
				for i, app := range apps {
					views[i] = viewApplication(app, slugs)
				}

				return printRows(a, views)
			})
		},
	}
}

func (a *app) appShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show CLIENT_ID",
		Short:   "Show an application",
		Long:    "Show an application, with the declarative file's names. Of secrets it shows which exist and when they expire.",
		Example: "  platform app show billing-web",
		Args:    oneArgument("CLIENT_ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.operate(cmd.Context(), func(ctx context.Context, o *operation) error {
				app, err := admin.Application(ctx, o.reader(), args[0])
				if err != nil {
					return err
				}

				slugs, err := o.slugs(ctx)
				if err != nil {
					return err
				}
				return a.printRecord(viewApplication(app, slugs))
			})
		},
	}
}

func (a *app) appRotate() *cobra.Command {
	var overlap time.Duration
	cmd := &cobra.Command{
		Use:   "rotate-secret CLIENT_ID",
		Short: "Give an application a new secret",
		Long: `Generate a new secret for an application and print it once. Its other secrets stay
valid for --overlap, so that there is time to deploy the new one.

` + noticeBound,
		Example: "  platform app rotate-secret billing-web\n  platform app rotate-secret billing-web --overlap 0s    # it leaked",
		Args:    oneArgument("CLIENT_ID"),
	}

	cmd.Flags().DurationVar(&overlap, "overlap", 24*time.Hour,
		"how long its other secrets stay valid; 0s ends them now")
	dryRun := dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if overlap < 0 {
			return usageError{errors.New("--overlap must not be negative; 0s ends the old secrets now")}
		}
		return a.change(cmd, *dryRun, func(ctx context.Context, desk admin.Desk) (*manifest.Report, error) {
			return desk.RotateSecret(ctx, args[0], overlap)
		})
	}

	return cmd
}
