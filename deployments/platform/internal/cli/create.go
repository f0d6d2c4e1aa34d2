package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
)

// field is a key of the declarative file as a flag. into is a *string, *bool, *[]string or
// *manifest.Duration.
type field struct {
	key, flag string
	into      any
	usage     string
}

func bind(cmd *cobra.Command, fields []field) {
	flags := cmd.Flags()
	for _, f := range fields {
		switch into := f.into.(type) {
		case *string:
			flags.StringVar(into, f.flag, *into, f.usage)
		case *bool:
			flags.BoolVar(into, f.flag, false, f.usage)
		case *[]string:
			flags.StringArrayVar(into, f.flag, nil, f.usage+" (may be repeated)")
		case *manifest.Duration:
			flags.DurationVar((*time.Duration)(into), f.flag, 0, f.usage)
		}
	}
}

// oneOf lists the values of a flag as prose: "a, b or c".
func oneOf(values []string) string {
	last := len(values) - 1
	return strings.Join(values[:last], ", ") + " or " + values[last]
}

// create applies a file with one entry, so that the file's rules apply to it. It refuses an
// entry that exists already.
func (a *app) create(cmd *cobra.Command, file manifest.File, dryRun bool, fields []field) error {
	var cfg operatorConfig
	if err := a.load(&cfg); err != nil {
		return err
	}

	doc := manifest.New("the command line", file)
	// Print what is wrong with the flags before opening anything.
	if err := doc.Validate(rules(cfg.Server)); err != nil {
		return usageError{inFlags(err, fields)}
	}

	return a.operate(cmd.Context(), func(ctx context.Context, o *operation) error {
		report, err := applyFile(ctx, o.db, doc, o.cfg.Server,
			manifest.ApplyOptions{DryRun: dryRun, Create: true}, o.deps)
		if err != nil {
			return inFlags(err, fields)
		}
		return a.printReport(report, dryRun)
	})
}

// keyOf extracts the key from a path such as applications[0].redirect_uris[1].
var keyOf = regexp.MustCompile(`^[a-z]+\[0\]\.([a-z_]+)`)

// inFlags rewrites the file's problems with the names of the flags. A key without a flag is
// the command's argument.
func inFlags(err error, fields []field) error {
	var problems manifest.Problems
	if !errors.As(err, &problems) {
		return err
	}

	var b strings.Builder
	for _, p := range problems {
		name := p.Path
		if match := keyOf.FindStringSubmatch(p.Path); match != nil {
			name = strings.ToUpper(match[1])
			for _, f := range fields {
				if f.key == match[1] {
					name = "--" + f.flag
				}
			}
		}

		fmt.Fprintf(&b, "\n  %s: %s", name, p.Reason)
	}

	return errors.New("nothing was created:" + b.String())
}
