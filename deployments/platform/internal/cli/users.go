package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/admin"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

func (a *app) users() *cobra.Command {
	return a.group("user", "Create, show, unlock and disable people, and set their passwords",
		"Manage people. To change more than the password of an existing one, use `platform apply`.",
		"  platform user create ada@acme.test --name \"Ada Lovelace\" --tenant acme\n  platform user disable ada@acme.test",
		a.userCreate(), a.userList(), a.userShow(), a.userSetPassword(), a.userUnlock(),
		a.userDisable(), a.userEnable(), a.userRevoke())
}

func (a *app) userCreate() *cobra.Command {
	var f manifest.User
	var file string
	var without bool
	cmd := &cobra.Command{
		Use:   "create EMAIL",
		Short: "Create a person",
		Long: `Create a person by the rules of the declarative file. The password is read from
standard input (a prompt without echo at a terminal) or from --password-file, never
from the command line. Services see the person at once.`,
		Example: "  platform user create ada@acme.test --name \"Ada Lovelace\" --tenant acme\n" +
			"  platform user create ada@acme.test --tenant acme --password-file ada.secret",
		Args: oneArgument("EMAIL"),
	}

	fields := []field{
		{"name", "name", &f.Name, "full name"},
		{"given_name", "given-name", &f.GivenName, "given name"},
		{"family_name", "family-name", &f.FamilyName, "family name"},
		{"email_verified", "email-verified", &f.EmailVerified, "the e-mail address is verified"},
		{"tenants", "tenant", &f.Tenants, "slug of a tenant that they are a member of"},
	}

	bind(cmd, fields)
	cmd.Flags().StringVar(&file, "password-file", "", passwordFileUsage)
	cmd.Flags().BoolVar(&without, "no-password", false, "create without a password; they can't sign in with one until it is set")
	dryRun := dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		f.Email = args[0]

		switch {
		case !without:
			f.Password, err = a.readPassword(cmd.Context(), file)
		case file != "":
			err = usageError{errors.New("--no-password and --password-file exclude each other: leave one out")}
		}

		if err != nil {
			return err
		}

		return a.create(cmd, manifest.File{Users: []manifest.User{f}}, *dryRun, fields)
	}

	return cmd
}

// userView is a person as commands show them.
type userView struct {
	Email         string         `json:"email"`
	EmailVerified bool           `json:"email_verified" table:"-"`
	Name          string         `json:"name"`
	GivenName     string         `json:"given_name,omitempty" table:"-"`
	FamilyName    string         `json:"family_name,omitempty" table:"-"`
	Enabled       bool           `json:"enabled"`
	Tenants       []string       `json:"tenants"`
	HasPassword   bool           `json:"has_password"`
	Claims        map[string]any `json:"claims,omitempty" table:"-"`
	UpdatedAt     time.Time      `json:"updated_at" table:"-"`
	LastLoginAt   time.Time      `json:"last_login_at,omitzero" table:"-"`
	ID            string         `json:"id"`
}

func viewUser(u sqlstore.UserRecord, slugs map[string]string) userView {
	v := userView{
		Email:         u.Email,
		EmailVerified: u.EmailVerified,
		Name:          u.Name,
		GivenName:     u.GivenName,
		FamilyName:    u.FamilyName,
		Enabled:       u.Active,
		Tenants:       []string{},
		HasPassword:   u.PasswordHash != "",
		Claims:        u.Claims,
		UpdatedAt:     u.UpdatedAt,
		ID:            u.ID,
		LastLoginAt:   u.LastLoginAt,
	}
	for _, id := range u.TenantIDs {
		v.Tenants = append(v.Tenants, slugs[id])
	}

	slices.Sort(v.Tenants)
	return v
}

func (a *app) userList() *cobra.Command {
	var tenant string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List people",
		Long:    "List all people, disabled ones included.",
		Example: "  platform user list --tenant acme",
		Args:    a.noArguments,
	}

	cmd.Flags().StringVar(&tenant, "tenant", "", "only members of this tenant, by slug or id")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.operate(cmd.Context(), func(ctx context.Context, o *operation) error {
			slugs, err := o.slugs(ctx)
			if err != nil {
				return err
			}

			only, err := o.tenantID(ctx, tenant)
			if err != nil {
				return err
			}

			people, err := o.reader().Users(ctx)
			if err != nil {
				return err
			}

			var views []userView
			for _, u := range people {
				if only == "" || slices.Contains(u.TenantIDs, only) {
					views = append(views, viewUser(u, slugs))
				}
			}

			return printRows(a, views)
		})
	}

	return cmd
}

func (a *app) userShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show EMAIL",
		Short:   "Show a person",
		Long:    "Show a person by e-mail address or id.",
		Example: "  platform user show ada@acme.test",
		Args:    oneArgument("EMAIL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.operate(cmd.Context(), func(ctx context.Context, o *operation) error {
				user, err := admin.User(ctx, o.reader(), args[0])
				if err != nil {
					return err
				}

				slugs, err := o.slugs(ctx)
				if err != nil {
					return err
				}
				return a.printRecord(viewUser(*user, slugs))
			})
		},
	}
}

func (a *app) userSetPassword() *cobra.Command {
	var file string
	var end bool
	cmd := &cobra.Command{
		Use:   "set-password EMAIL",
		Short: "Set a person's password",
		Long: `Set a person's password. It is read from standard input (a prompt without echo at a
terminal) or from --password-file, never from the command line. It takes effect at
once. The person stays signed in, unless --end-sessions ends all of their access,
together with what applications and devices hold (see platform user revoke).`,
		Example: "  platform user set-password ada@acme.test\n" +
			"  platform user set-password ada@acme.test --password-file ada.secret --end-sessions",
		Args: oneArgument("EMAIL"),
	}

	cmd.Flags().StringVar(&file, "password-file", "", passwordFileUsage)
	cmd.Flags().BoolVar(&end, "end-sessions", false,
		"also end all of their access: sessions, and what applications and devices hold")
	dryRun := dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		secret, err := a.readPassword(cmd.Context(), file)
		if err != nil {
			return err
		}

		return a.change(cmd, *dryRun, func(ctx context.Context, desk admin.Desk) (*manifest.Report, error) {
			return desk.SetPassword(ctx, args[0], secret, end)
		})
	}

	return cmd
}

// tenantID returns the id of a tenant by slug or id, and "" for "".
func (o *operation) tenantID(ctx context.Context, slugOrID string) (string, error) {
	if slugOrID == "" {
		return "", nil
	}

	tenant, err := admin.Tenant(ctx, o.reader(), slugOrID)
	if err != nil {
		return "", err
	}
	return tenant.ID, nil
}

// userID returns the id of a person by address or id, and "" for "".
func (o *operation) userID(ctx context.Context, emailOrID string) (string, error) {
	if emailOrID == "" {
		return "", nil
	}

	user, err := admin.User(ctx, o.reader(), emailOrID)
	if err != nil {
		return "", err
	}
	return user.ID, nil
}

// checkLimit rejects a --limit that would show nothing.
func checkLimit(limit int) error {
	if limit <= 0 {
		return usageError{errors.New("--limit must be at least 1")}
	}
	return nil
}
