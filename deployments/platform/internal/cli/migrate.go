package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

func (a *app) migrate() *cobra.Command {
	var roles, rollout bool
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
GRANT platform_token TO token_login.

--rollout does the same during an upgrade while replicas of the previous version still
run: it also keeps the privileges that only they need. Run migrate --roles once the
last of them has stopped. Until then, what those privileges allow isn't prevented;
platform doctor lists them.`,
		Example: "  platform migrate --roles\n  PLATFORM_DATABASE_URL=postgres://owner@db/platform platform migrate",
		Args:    a.noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var cfg operatorConfig
			if err := a.load(&cfg); err != nil {
				return err
			}

			cfg.Database.URL = cfg.Database.DirectURL
			cfg.Database.StatementTimeout = 0 // building an index takes its time; the wait for locks stays bounded

			if (roles || rollout) && cfg.Database.SQLite() {
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

			switch {
			case rollout:
				err = database.ApplyRolesForRollout(cmd.Context(), db)
			case roles:
				err = database.ApplyRoles(cmd.Context(), db)
			}
			if err != nil {
				return err
			}

			return a.printMigrated(from, to, roles, rollout)
		},
	}

	cmd.Flags().BoolVar(&roles, "roles", false,
		"also create the services' roles and grant their privileges (PostgreSQL)")
	cmd.Flags().BoolVar(&rollout, "rollout", false,
		"like --roles, but keep the privileges that replicas of the previous version need (PostgreSQL)")
	cmd.MarkFlagsMutuallyExclusive("roles", "rollout")
	return cmd
}

func (a *app) printMigrated(from, to int64, roles, rollout bool) error {
	if a.output == "json" {
		return a.printJSON(map[string]any{"from": from, "to": to, "roles": roles || rollout, "rollout": rollout})
	}

	if from == to {
		fmt.Fprintf(a.streams.Out, "schema already at version %d\n", to)
	} else {
		fmt.Fprintf(a.streams.Out, "schema migrated from version %d to %d\n", from, to)
	}

	switch {
	case rollout:
		fmt.Fprintln(a.streams.Out, "roles and rights are up to date, and those of the version before are kept: "+
			"run `platform migrate --roles` once none of its replicas runs")
	case roles:
		fmt.Fprintln(a.streams.Out, "roles and rights are up to date")
	}

	return nil
}
