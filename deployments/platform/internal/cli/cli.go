package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/libs/config"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2

	// exitConflicts is the exit code of an apply that made every change except those that
	// would have undone a command's.
	exitConflicts = 3
)

// Streams holds a command's input and outputs.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// app holds what all commands share.
type app struct {
	streams Streams
	environ []string
	output  string // table or json
}

// usageError marks an error in how the command was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Run executes one command line and returns the exit code. ctx ends when the process is
// asked to stop.
func Run(ctx context.Context, args []string, streams Streams, environ []string) int {
	a := &app{streams: streams, environ: environ}
	root := a.root()
	root.SetArgs(thumbprintsLast(args))
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	err := remedy(root.ExecuteContext(ctx))
	if err == nil {
		return exitDone
	}

	fmt.Fprintln(streams.Err, "platform: "+strings.TrimPrefix(err.Error(), "platform: "))
	var conflicts conflictError
	if errors.As(err, &conflicts) {
		return exitConflicts
	}

	var usage usageError
	var bad *config.Error
	if errors.As(err, &usage) || errors.As(err, &bad) {
		return exitUsage
	}

	return exitFailed
}

// thumbprintForm matches a kid (RFC 7638 3.1) that looks like a flag. One kid in sixty-four
// begins with a dash.
var thumbprintForm = regexp.MustCompile(`^-[A-Za-z0-9_-]{42}$`)

// thumbprintsLast moves such arguments behind "--", after which no argument is a flag.
func thumbprintsLast(args []string) []string {
	if slices.Contains(args, "--") {
		return args
	}

	var others, thumbprints []string
	for _, arg := range args {
		if thumbprintForm.MatchString(arg) {
			thumbprints = append(thumbprints, arg)
		} else {
			others = append(others, arg)
		}
	}

	if thumbprints == nil {
		return args
	}

	return slices.Concat(others, []string{"--"}, thumbprints)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "platform",
		Short: "Run and operate an OAuth 2.0 and OpenID Connect platform",
		Long: `platform runs the five services in one process and operates a platform.

Configuration comes from PLATFORM_… variables. Each secret can also be read from a
file that …_FILE names. A flag overrides its variable. "platform up --help" lists
them all.`,
		Example:       "  platform up --demo\n  platform migrate\n  platform apply -f platform.yaml --dry-run",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          a.noArguments,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}

	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "table", "output format: table or json")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.output != "table" && a.output != "json" {
			return usageError{fmt.Errorf("--output must be table or json, not %q", a.output)}
		}
		return nil
	}

	root.AddCommand(a.up(), a.migrate(), a.apply(), a.applications(), a.tenants(), a.users(), a.sessions(), a.keys(),
		a.audit(), a.doctor(), a.probe(), a.demo(), a.version())

	return root
}

// noArguments rejects arguments of a command that takes none. If the argument is in a
// command's place, the error lists the commands.
func (a *app) noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}

	if !cmd.HasSubCommands() {
		return usageError{fmt.Errorf("%s takes no arguments, but was given %q; see %[1]s --help",
			cmd.CommandPath(), args[0])}
	}

	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}

	return usageError{fmt.Errorf("unknown command %q, want one of %s: see %s --help", args[0],
		strings.Join(names, ", "), cmd.CommandPath())}
}

// printJSON writes v as an indented document.
func (a *app) printJSON(v any) error {
	encoder := json.NewEncoder(a.streams.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}
