package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/admin"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
)

// operation is a command that is working on the database.
type operation struct {
	cfg  operatorConfig
	db   *database.DB
	deps servicekit.Deps
}

func (o *operation) reader() *sqlstore.Reader { return sqlstore.NewReader(o.db) }

func (o *operation) desk(dryRun bool) admin.Desk {
	return admin.Desk{
		DB:     o.db,
		Now:    o.deps.Now,
		Random: o.deps.Random,
		DryRun: dryRun,
	}
}

// operate opens the database for f. It fails unless the database has this version's schema.
func (a *app) operate(ctx context.Context, f func(ctx context.Context, o *operation) error) error {
	var cfg operatorConfig
	if err := a.load(&cfg); err != nil {
		return err
	}

	deps := a.deps()
	db, err := openDatabase(ctx, cfg.Database, cfg.Signing.DataDir, deps)
	if err != nil {
		return err
	}

	defer func() { _ = db.Close() }()

	if err := db.CheckSchema(ctx); err != nil {
		return err
	}

	return f(ctx, &operation{cfg: cfg, db: db, deps: deps})
}

// change runs f at the operator's desk and prints what it changed.
func (a *app) change(
	cmd *cobra.Command, dryRun bool, f func(ctx context.Context, desk admin.Desk) (*manifest.Report, error),
) error {
	return a.operate(cmd.Context(), func(ctx context.Context, o *operation) error {
		report, err := f(ctx, o.desk(dryRun))
		if err != nil {
			return err
		}
		return a.printReport(report, dryRun)
	})
}

func dryRunFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("dry-run", false, "print what would change, and change nothing")
}

// group returns a command that only has subcommands.
func (a *app) group(use, short, long, example string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:     use,
		Short:   short,
		Long:    long,
		Example: example,
		Args:    a.noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}

	cmd.AddCommand(commands...)
	return cmd
}

// oneArgument requires exactly one argument, which errors call name.
func oneArgument(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return usageError{fmt.Errorf("%s takes one %s, but was given %d arguments; see %[1]s --help",
				cmd.CommandPath(), name, len(args))}
		}
		return nil
	}
}

// commandOf maps a kind of thing to the command that handles it.
var commandOf = map[string]string{
	"application": "app",
	"tenant":      "tenant",
	"user":        "user",
	"session":     "session",
	"signing key": "key",
}

// remedy adds to an error what the operator can do about it.
func remedy(err error) error {
	var missing *admin.NotFoundError
	var exists *manifest.ExistsError
	switch {
	case errors.As(err, &missing) && missing.Kind == "session":
		return fmt.Errorf("%w: `platform session list --all` lists the sessions", err)
	case errors.As(err, &missing):
		return fmt.Errorf("%w: see `platform %s list`", err, commandOf[missing.Kind])
	case errors.As(err, &exists):
		return fmt.Errorf("%w: `platform %s show` shows it, and `platform apply` changes it", err, commandOf[exists.Kind])
	}

	return err
}
