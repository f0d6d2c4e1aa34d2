package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/admin"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
)

const (
	// endsBound explains in --help what ending access means.
	endsBound = `It takes effect at once: browsers are signed out, codes and refresh tokens are
refused, and introspection and userinfo refuse access tokens. Applications with a
back-channel logout endpoint are notified. A resource server that verifies access
tokens itself accepts them until they expire.`
	// staysDisabled explains in --help what applying a file does to what was disabled.
	staysDisabled = `Applying a file leaves disabled what a command disabled, unless the file says
"enabled: true" and --overrule is given. Nothing is deleted;
`
	// revivesNothing explains in --help what enabling doesn't do.
	revivesNothing = `Enabling doesn't restore what disabling ended: people sign in again, and
applications and devices start over.`
)

// deskCommand returns a command that makes one change at the operator's desk to the thing
// that its one argument names.
func (a *app) deskCommand(name, argument, short, long, example string,
	f func(desk admin.Desk, ctx context.Context, subject string) (*manifest.Report, error),
) *cobra.Command {
	cmd := &cobra.Command{
		Use:     name + " " + argument,
		Short:   short,
		Long:    long,
		Example: example,
		Args:    oneArgument(argument),
	}

	dryRun := dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.change(cmd, *dryRun, func(ctx context.Context, desk admin.Desk) (*manifest.Report, error) {
			return f(desk, ctx, args[0])
		})
	}

	return cmd
}

func (a *app) userDisable() *cobra.Command {
	return a.deskCommand("disable", "EMAIL", "Disable a person",
		"Disable a person and end all of their access: they can't sign in, and their\n"+
			"sessions end, together with what applications and devices hold for them.\n\n"+endsBound+
			"\n\n"+staysDisabled+"`platform user enable` enables them again.",
		"  platform user disable ada@acme.test",
		admin.Desk.DisableUser)
}

func (a *app) userEnable() *cobra.Command {
	return a.deskCommand("enable", "EMAIL", "Enable a disabled person",
		"Enable a person who was disabled. "+revivesNothing,
		"  platform user enable ada@acme.test",
		admin.Desk.EnableUser)
}

func (a *app) userRevoke() *cobra.Command {
	tenant := ""
	cmd := a.deskCommand("revoke", "EMAIL", "End all of a person's access",
		"End a person's sessions and all that applications and devices hold for them, offline\n"+
			"access too, everywhere or in one tenant. They may sign in again at once.\n\n"+endsBound,
		"  platform user revoke ada@acme.test\n  platform user revoke ada@acme.test --tenant acme --dry-run",
		func(desk admin.Desk, ctx context.Context, subject string) (*manifest.Report, error) {
			return desk.RevokeUser(ctx, subject, tenant)
		})

	cmd.Flags().StringVar(&tenant, "tenant", "", "only in this tenant, by slug or id")
	return cmd
}

func (a *app) tenantDisable() *cobra.Command {
	return a.deskCommand("disable", "SLUG", "Disable a tenant",
		"Disable a tenant and end all access to it: its people can't sign in to it, and\n"+
			"their sessions end, together with what applications and devices hold for them.\n\n"+endsBound+
			"\n\n"+staysDisabled+"`platform tenant enable` enables it again.",
		"  platform tenant disable acme --dry-run",
		admin.Desk.DisableTenant)
}

func (a *app) tenantEnable() *cobra.Command {
	return a.deskCommand("enable", "SLUG", "Enable a disabled tenant",
		"Enable a tenant that was disabled. "+revivesNothing,
		"  platform tenant enable acme",
		admin.Desk.EnableTenant)
}

func (a *app) tenantRevoke() *cobra.Command {
	return a.deskCommand("revoke", "SLUG", "End all access to a tenant",
		"End the sessions of a tenant's people in it, and all that applications and devices\n"+
			"hold for them there, offline access too. They may sign in again at once.\n\n"+endsBound,
		"  platform tenant revoke acme",
		admin.Desk.RevokeTenant)
}

func (a *app) appDisable() *cobra.Command {
	return a.deskCommand("disable", "CLIENT_ID", "Disable an application",
		"Disable an application and end all that people granted it: it can no longer\n"+
			"authenticate or get tokens.\n\n"+endsBound+"\n\n"+noticeBound+
			"\n\n"+staysDisabled+"`platform app enable` enables it again.",
		"  platform app disable billing-web --dry-run",
		admin.Desk.DisableApplication)
}

func (a *app) appEnable() *cobra.Command {
	return a.deskCommand("enable", "CLIENT_ID", "Enable a disabled application",
		"Enable an application that was disabled. "+revivesNothing+"\n\n"+noticeBound,
		"  platform app enable billing-web",
		admin.Desk.EnableApplication)
}

func (a *app) appRevoke() *cobra.Command {
	return a.deskCommand("revoke", "CLIENT_ID", "End all that people granted an application",
		"End all that people granted an application, offline access and devices too.\n"+
			"People stay signed in, and it can ask them again at once. Its secrets stay valid.\n\n"+endsBound,
		"  platform app revoke billing-web",
		admin.Desk.RevokeApplication)
}
