package cli

import (
	"context"
	"encoding/json"
	"errors"
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
		v.Grants = append(v.Grants, g.Name())
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
