package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/admin"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

func (a *app) tenants() *cobra.Command {
	return a.group("tenant", "Create, show and disable tenants",
		"Manage tenants, the organisations whose people sign in. To change other settings of an existing one, use `platform apply`.",
		"  platform tenant create acme --name \"Acme Corp\" --domain acme.test\n  platform tenant disable acme",
		a.tenantCreate(), a.tenantList(), a.tenantShow(), a.tenantDisable(), a.tenantEnable(), a.tenantRevoke())
}

func (a *app) tenantCreate() *cobra.Command {
	var f manifest.Tenant
	cmd := &cobra.Command{
		Use:     "create SLUG",
		Short:   "Create a tenant",
		Long:    "Create a tenant by the rules of the declarative file. Services see it at once.",
		Example: "  platform tenant create acme --name \"Acme Corp\" --domain acme.test",
		Args:    oneArgument("SLUG"),
	}

	fields := []field{
		{"name", "name", &f.Name, "display name"},
		{"domains", "domain", &f.Domains, "e-mail domain of its people, verified to be its own"},
		{"sso_only", "sso-only", &f.SSOOnly, "its people sign in with its identity provider only, without a password"},
	}

	bind(cmd, fields)
	dryRun := dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f.Slug = args[0]
		return a.create(cmd, manifest.File{Tenants: []manifest.Tenant{f}}, *dryRun, fields)
	}

	return cmd
}

// tenantView is a tenant as commands show it.
type tenantView struct {
	Slug    string   `json:"slug"`
	Name    string   `json:"name"`
	Enabled bool     `json:"enabled"`
	Domains []string `json:"domains"`
	SSOOnly bool     `json:"sso_only" table:"-"`
	ID      string   `json:"id"`
}

func viewTenant(t sqlstore.TenantRecord) tenantView {
	return tenantView{
		Slug:    t.Slug,
		Name:    t.Name,
		Enabled: t.Active,
		Domains: t.Domains,
		SSOOnly: t.SSOOnly,
		ID:      t.ID,
	}
}

func (a *app) tenantList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List tenants",
		Long:    "List all tenants, disabled ones included.",
		Example: "  platform tenant list",
		Args:    a.noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.operate(cmd.Context(), func(ctx context.Context, o *operation) error {
				tenants, err := o.reader().Tenants(ctx)
				if err != nil {
					return err
				}

				views := make([]tenantView, len(tenants))
				for i, t := range tenants {
					views[i] = viewTenant(t)
				}
				return printRows(a, views)
			})
		},
	}
}

func (a *app) tenantShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show SLUG",
		Short:   "Show a tenant",
		Long:    "Show a tenant by its slug or id.",
		Example: "  platform tenant show acme",
		Args:    oneArgument("SLUG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.operate(cmd.Context(), func(ctx context.Context, o *operation) error {
				tenant, err := admin.Tenant(ctx, o.reader(), args[0])
				if err != nil {
					return err
				}
				return a.printRecord(viewTenant(*tenant))
			})
		},
	}
}
