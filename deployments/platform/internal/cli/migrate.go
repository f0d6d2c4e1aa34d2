package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

func (a *app) migrate() *cobra.Command {
	var roles bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Migrate the database to this version",
		Long: `Migrate the database in PLATFORM_DATABASE_URL to this version's schema. If there is a
transaction pooler in front of it, set PLATFORM_DATABASE_DIRECT_URL too. Running it
several times, even at once, is safe. Without a URL, it migrates the SQLite file in
the data folder.

--roles also creates a PostgreSQL group role for each service (platform_token, …)
with exactly the privileges that the service needs. platform_operator is for the
other commands of this program. Grant one of them to each service's login role:
GRANT platform_token TO token_login.`,
		Example: "  platform migrate --roles\n  PLATFORM_DATABASE_URL=postgres://owner@db/platform platform migrate",
		Args:    a.noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var cfg operatorConfig
			if err := a.load(&cfg); err != nil {
				return err
			}

			cfg.Database.URL = cfg.Database.DirectURL
			cfg.Database.StatementTimeout = 0 // building an index takes its time; the wait for locks stays bounded

			if roles && cfg.Database.SQLite() {
				return usageError{errors.New("--roles needs PostgreSQL, because SQLite has no roles: leave it out, or set PLATFORM_DATABASE_URL")}
			}

			deps := a.deps()
			db, err := openDatabase(cmd.Context(), cfg.Database, cfg.Signing.DataDir, deps)
			if err != nil {
				return err
			}

			defer func() { _ = db.Close() }()
			from, to, err := database.Migrate(cmd.Context(), db, deps.Logger)
			if err != nil {
				return err
			}

			if roles {
				if err := database.ApplyRoles(cmd.Context(), db); err != nil {
					return err
				}
			}

			return a.printMigrated(from, to, roles)
		},
	}

	cmd.Flags().BoolVar(&roles, "roles", false,
		"also create the services' roles and grant their privileges (PostgreSQL)")
	return cmd
}

func (a *app) printMigrated(from, to int64, roles bool) error {
	if a.output == "json" {
		return a.printJSON(map[string]any{"from": from, "to": to, "roles": roles})
	}

	if from == to {
		fmt.Fprintf(a.streams.Out, "schema already at version %d\n", to)
	} else {
		fmt.Fprintf(a.streams.Out, "schema migrated from version %d to %d\n", from, to)
	}

	if roles {
		fmt.Fprintln(a.streams.Out, "roles and rights are up to date")
	}

	return nil
}
