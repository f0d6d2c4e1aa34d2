package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
)

// memoryGoal is the limit for the garbage collector during apply, in bytes and in addition
// to the text of the file, so that a file of 100,000 people stays below 128 MiB. GOMEMLIMIT
// sets another.
const memoryGoal = 40 << 20

func (a *app) apply() *cobra.Command {
	var file string
	var opts manifest.ApplyOptions
	pruning := pruneFlag{a: a, into: &opts.Prune}
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Apply a file of tenants, users and applications",
		Long: `Change tenants, users and applications to what a declarative YAML or JSON file
says, and print the changes. Applying the same file again changes nothing. If the
file has mistakes, all of them are printed with file and line, and nothing is
applied.

Everything is checked first. Then the changes are committed in short transactions,
which don't block sign-ins, and are printed as they are committed. If it stops in
the middle, apply the same file again and it continues. --dry-run only reads.

If a command such as "app rotate-secret", "user set-password" or "user disable" has
changed a password, client secret or "enabled" since the last apply, and the file
says otherwise, the change is kept and printed as a conflict, and the exit code is
3. Change the file, or apply it with --overrule. A password that a person has
changed stays until the file has a different one.

A confidential application without a client_secret gets a generated one, which is
printed once. "enabled: false" disables a tenant, person or application and ends
all access. Without the key, whatever a command disabled stays disabled.

--prune disables whatever is in the database but not in the file, for each kind
that has a section in the file. More than ten removals, or more than a tenth of a
kind, must be confirmed: by their number, as in --prune=12, or by "yes" at a
terminal.

Each change adds a row to the audit trail. Running services see people and tenants
at once. They see applications at once if the database can notify them, and within
5 seconds otherwise.`,
		Example: "  platform apply -f platform.yaml --dry-run\n  platform apply -f platform.yaml --prune=12\n  platform apply -f - < platform.yaml",
		Args:    a.noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usageError{errors.New("no file to apply: give -f FILE, or -f - for standard input")}
			}
			return a.applyCommand(cmd.Context(), file, opts)
		},
	}

	flags := cmd.Flags()
	flags.StringVarP(&file, "file", "f", "", "the declarative file; - reads standard input")
	flags.BoolVar(&opts.DryRun, "dry-run", false, "print what would change, and change nothing")
	flags.BoolVar(&opts.Overrule, "overrule", false, "also overwrite what a command has changed since the last apply")
	flags.Var(&pruning, "prune",
		"disable what is not in the file; `N` confirms the number of removals if there are many")
	flags.Lookup("prune").NoOptDefVal = "yes"

	return cmd
}

func (a *app) applyCommand(ctx context.Context, file string, opts manifest.ApplyOptions) error {
	var cfg operatorConfig
	if err := a.load(&cfg); err != nil {
		return err
	}

	// Print what is wrong with the file before opening anything.
	doc, err := a.parse(file)
	if err != nil {
		return err
	}

	if os.Getenv("GOMEMLIMIT") == "" {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(memoryGoal + int64(doc.Size())))
	}

	if err := doc.Validate(rules(cfg.Server)); err != nil {
		return err
	}

	if file == "-" {
		opts.Prune.Ask = nil // standard input was used for the file
	}

	deps := a.deps()
	db, err := openDatabase(ctx, cfg.Database, cfg.Signing.DataDir, deps)
	if err != nil {
		return err
	}

	defer func() { _ = db.Close() }()

	return a.applyAndPrint(ctx, db, doc, cfg.Server, opts, deps)
}

// applyAndPrint applies a file and prints each batch once it is committed.
func (a *app) applyAndPrint(
	ctx context.Context, db *database.DB, doc *manifest.Document, server config.Server,
	opts manifest.ApplyOptions, deps servicekit.Deps,
) error {
	printer := a.newReportPrinter(opts.DryRun)
	opts.Told = printer.batch
	report, err := applyFile(ctx, db, doc, server, opts, deps)
	if report == nil {
		return err
	}
	return errors.Join(err, printer.finish(report, err == nil))
}

func (a *app) parse(file string) (*manifest.Document, error) {
	if file == "-" {
		return manifest.Parse("standard input", a.streams.In)
	}

	f, err := os.Open(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read the declarative file: %w", err)
	}

	defer func() { _ = f.Close() }()
	return manifest.Parse(file, f)
}

// rules returns the rules for the file, which are laxer if only this machine can reach the
// platform.
func rules(server config.Server) manifest.Rules {
	return manifest.Rules{Loopback: server.Loopback(), Issuer: server.Issuer()}
}

func applyFile(
	ctx context.Context, db *database.DB, doc *manifest.Document, server config.Server,
	opts manifest.ApplyOptions, deps servicekit.Deps,
) (*manifest.Report, error) {
	if err := db.CheckSchema(ctx); err != nil {
		return nil, err
	}
	opts.Rules, opts.Now, opts.Random = rules(server), deps.Now, deps.Random
	return manifest.Apply(ctx, db, doc, opts)
}

// pruneFlag is the value of --prune or --prune=N.
type pruneFlag struct {
	a    *app
	into *manifest.Pruning
}

// String returns the flag's default, for --help.
func (p *pruneFlag) String() string { return "" }

// Type names the flag's value, for --help.
func (p *pruneFlag) Type() string { return "N" }

// Set reads the flag's value.
func (p *pruneFlag) Set(value string) error {
	switch n, err := strconv.ParseUint(value, 10, 31); {
	case value == "yes", value == "true":
		*p.into = manifest.Pruning{Wanted: true, Ask: p.a.asker()}
	case value == "false":
		*p.into = manifest.Pruning{}
	case err != nil || n == 0:
		return errors.New("want the number of removals, as in --prune=12, or none")
	default:
		*p.into = manifest.Pruning{Wanted: true, Count: int(n)}
	}

	return nil
}

// asker returns a function that asks a question at the terminal, or nil if there is no
// terminal.
func (a *app) asker() func(question string) (bool, error) {
	f, ok := a.streams.In.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}

	return func(question string) (bool, error) {
		fmt.Fprintf(a.streams.Err, "%s Type yes to continue: ", question)
		line, err := bufio.NewReader(f).ReadString('\n')
		if err != nil {
			return false, fmt.Errorf("read the answer: %w", err)
		}
		return strings.TrimSpace(line) == "yes", nil
	}
}
