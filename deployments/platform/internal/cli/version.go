package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
)

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version, commit, Go version and schema version of this program",
		Example: "  platform version --output json",
		Args:    a.noArguments,
		RunE: func(*cobra.Command, []string) error {
			schema, err := database.LatestSchema()
			if err != nil {
				return err
			}

			if a.output == "json" {
				return a.printJSON(map[string]any{
					"version": servicekit.Version(),
					"commit":  servicekit.Commit(),
					"go":      runtime.Version(),
					"schema":  schema,
				})
			}

			fmt.Fprintf(a.streams.Out, "version  %s\ncommit   %s\ngo       %s\nschema   %d\n", servicekit.Version(),
				servicekit.Commit(), runtime.Version(), schema)
			return nil
		},
	}
}
