package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
)

func (a *app) apply() *cobra.Command {
	var file string
	var opts manifest.ApplyOptions
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make tenants, users and applications what a file says",
		Long: `Make tenants, users and applications what a declarative YAML file says, in one
transaction, and say what changed. Applying the same file again changes nothing.
When anything in the file is wrong, all of it is said with file and line, and
nothing is applied.

A confidential application without a client_secret is given a generated one,
which is printed once. --prune disables what the database has and the file does
not, of each kind that the file has a section for.

Each change leaves a row in the audit trail. Running services see people and
tenants at once, applications too where the database can tell them, and within 5
seconds in any case.`,
		Example: "  platform apply -f platform.yaml --dry-run\n  platform apply -f - < platform.yaml",
		Args:    a.noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usageError{errors.New("say which file to apply: -f FILE, or -f - for standard input")}
			}
			var cfg operatorConfig
			if err := a.load(&cfg); err != nil {
				return err
			}
			// What is wrong with the file is said before anything is opened.
			doc, err := a.parse(file)
			if err != nil {
				return err
			}
			if err := doc.Validate(rules(cfg.Server)); err != nil {
				return err
			}
			deps := a.deps()
			db, err := openDatabase(cmd.Context(), cfg.Database, cfg.Signing.DataDir, deps)
			if err != nil {
				return err
			}
			defer func() { _ = db.Close() }()
			report, err := applyFile(cmd.Context(), db, doc, cfg.Server, opts, deps)
			if err != nil {
				return err
			}
			return a.printReport(report, opts.DryRun)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the declarative file; - reads standard input")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "say what would change and change nothing")
	cmd.Flags().BoolVar(&opts.Prune, "prune", false, "disable what the file does not have")
	return cmd
}

func (a *app) parse(file string) (*manifest.Document, error) {
	if file == "-" {
		return manifest.Parse("standard input", a.streams.In)
	}
	f, err := os.Open(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("the declarative file cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }()
	return manifest.Parse(file, f)
}

// rules are laxer where nobody else reaches the platform.
func rules(server servicekit.Server) manifest.Rules {
	return manifest.Rules{Loopback: server.Loopback(), Issuer: server.Issuer()}
}

func applyFile(ctx context.Context, db *database.DB, doc *manifest.Document, server servicekit.Server, opts manifest.ApplyOptions, deps servicekit.Deps) (*manifest.Report, error) {
	if err := db.CheckSchema(ctx); err != nil {
		return nil, err
	}
	opts.Rules, opts.Now, opts.Random = rules(server), deps.Now, deps.Random
	return manifest.Apply(ctx, db, doc, opts)
}

func (a *app) printReport(report *manifest.Report, dryRun bool) error {
	if a.output == "json" {
		return a.printJSON(report)
	}
	w := a.streams.Out
	err := table(w, func(line func(cells ...string)) {
		for _, c := range report.Changes {
			line(c.Action, c.Kind, c.Name, c.Detail())
		}
	})
	if err != nil {
		return err
	}
	for _, s := range report.Secrets {
		fmt.Fprintf(w, "client secret of %s, shown this once: %s\n", s.ClientID, s.Secret)
	}
	done := "applied"
	if dryRun {
		done = "dry run, nothing was changed"
	}
	fmt.Fprintf(w, "%d changed, %d unchanged: %s\n", len(report.Changes), report.Unchanged, done)
	return nil
}
