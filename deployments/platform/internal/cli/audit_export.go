package cli

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/audit/ocsf"
	"github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
)

// exportFlags are the flags of `audit export`.
type exportFlags struct {
	since, until, after, format string
}

func (a *app) auditExport() *cobra.Command {
	var flags exportFlags
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the audit trail for another system, a row a line",
		Long: `Write the rows of the audit trail, in the order of their time, as one JSON object a
line: with --format jsonl all that a row says, its hashes too; with --format ocsf
events of the Open Cybersecurity Schema Framework, version ` + ocsf.Version + `.

It ends with the rows of half a minute ago, unless --until says otherwise: later
ones may still be joined by rows that sort before them. The cursor that it prints
last, on standard error, is where the next export goes on: --after CURSOR. So is
the id (in OCSF metadata.uid) of the last line of an export that was interrupted.`,
		Example: "  platform audit export --since 24h > trail.jsonl\n  platform audit export --after aud_00064… --format ocsf | collector",
		Args:    a.noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.runExport(cmd.Context(), flags) },
	}

	cmd.Flags().StringVar(&flags.since, "since", "",
		"from then on: a duration such as 24h, or a time such as 2026-03-01T09:00:00Z")
	cmd.Flags().StringVar(&flags.until, "until", "", "up to then, in the same form")
	cmd.Flags().StringVar(&flags.after, "after", "", "after the row with this id, the cursor of an earlier export")
	cmd.Flags().StringVar(&flags.format, "format", "jsonl", "jsonl or ocsf")

	return cmd
}

// exportedRow is a row with its place in its hash chain.
type exportedRow struct {
	eventView
	Chain    string `json:"chain,omitempty"`
	Seq      int64  `json:"seq,omitempty"`
	PrevHash string `json:"prev_hash,omitempty"`
	Hash     string `json:"hash,omitempty"`
}

var exportFormats = map[string]func(r audit.Record) any{
	"jsonl": func(r audit.Record) any {
		return exportedRow{viewEvent(r), r.Chain, r.Seq, hex.EncodeToString(r.PrevHash), hex.EncodeToString(r.Hash)}
	},
	"ocsf": func(r audit.Record) any { return ocsf.FromRecord(r) },
}

func (a *app) runExport(ctx context.Context, flags exportFlags) error {
	form, known := exportFormats[flags.format]
	if !known {
		return usageError{fmt.Errorf("--format %q is neither jsonl nor ocsf", flags.format)}
	}

	if flags.since == "" && flags.after == "" {
		return usageError{errors.New("say from where: --since a time, or --after the cursor of an earlier export")}
	}

	return a.operate(ctx, func(ctx context.Context, o *operation) (err error) {
		now := o.deps.Now()
		filter := audit.Filter{AfterID: flags.after, Until: now.Add(-followBack)}
		if filter.Since, err = moment("--since", flags.since, now); err != nil {
			return err
		}

		if flags.until != "" {
			if filter.Until, err = moment("--until", flags.until, now); err != nil {
				return err
			}
		}

		cursor := flags.after
		out := bufio.NewWriterSize(a.streams.Out, 1<<16)
		lines := json.NewEncoder(out)
		err = sqlstore.Walk(ctx, o.db, filter, func(r audit.Record) error {
			if err := lines.Encode(form(r)); err != nil {
				return err
			}
			cursor = r.ID
			return nil
		})
		if err = errors.Join(err, out.Flush()); err != nil {
			return err
		}

		if cursor != "" {
			fmt.Fprintln(a.streams.Err, "cursor: "+cursor)
		}

		return nil
	})
}

func (a *app) auditVerify() *cobra.Command {
	var since, until string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that nothing was changed in the audit trail or taken out of it",
		Long: `Check the audit trail: each replica of a service chains its rows by their hashes, a
chain a day, and the keys service seals each day about an hour after its end. A row
that was changed, removed, moved or added, a chain that ends too early and a day
that is gone are problems, one a line, and the exit code is 1. No problem are rows
older than PLATFORM_AUDIT_RETENTION, whose removal the trail tells of, and rows that
versions without chains wrote: of those the seal has the number only.

The hash of the last sealed day stands for all days before it. Keep it elsewhere: the
owner of the database could write the trail and its seals anew, but not to that
hash.`,
		Example: "  platform audit verify\n  platform audit verify --since 168h -o json",
		Args:    a.noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.runVerify(cmd.Context(), since, until) },
	}

	cmd.Flags().StringVar(&since, "since", "",
		"from the day of then on: a duration such as 168h, or a time such as 2026-03-01T09:00:00Z")
	cmd.Flags().StringVar(&until, "until", "", "up to the day of then, in the same form")

	return cmd
}

// verified is the JSON output of verify.
type verified struct {
	*sqlstore.Report
	Found []sqlstore.Problem `json:"found"` // the first of them
}

// shownProblems is how many problems are printed.
const shownProblems = 1000

func (a *app) runVerify(ctx context.Context, since, until string) error {
	return a.operate(ctx, func(ctx context.Context, o *operation) error {
		from, err := moment("--since", since, o.deps.Now())
		if err != nil {
			return err
		}

		to, err := moment("--until", until, o.deps.Now())
		if err != nil {
			return err
		}

		v := verified{Found: []sqlstore.Problem{}}
		v.Report, err = sqlstore.Verify(ctx, o.db, from, to, func(p sqlstore.Problem) error {
			if len(v.Found) < shownProblems {
				v.Found = append(v.Found, p)
			}
			return nil
		})
		if err != nil {
			return err
		}

		if err := a.printVerified(v); err != nil {
			return err
		}

		if v.Problems > 0 {
			return fmt.Errorf("the audit trail has %d problems: compare it with an export, and see who may act as the owner of the database", v.Problems)
		}

		return nil
	})
}

func (a *app) printVerified(v verified) error {
	if a.output == "json" {
		return a.printJSON(v)
	}

	for _, p := range v.Found {
		fmt.Fprintf(a.streams.Out, "%s  %s\n", p.Day, problemLine(p))
	}

	fmt.Fprintf(a.streams.Out, "%d rows in %d chains, %d sealed days", v.Events, v.Chains, v.Sealed)

	if v.Open > 0 {
		fmt.Fprintf(a.streams.Out, ", %d days not sealed yet", v.Open)
	}

	if v.Unchained > 0 {
		fmt.Fprintf(a.streams.Out, ", %d rows of versions without chains", v.Unchained)
	}

	fmt.Fprintln(a.streams.Out)

	if v.Removed != "" {
		fmt.Fprintf(a.streams.Out, "rows before %s were removed for their age\n", v.Removed)
	}

	if v.LastDay != "" {
		fmt.Fprintf(a.streams.Out, "sealed up to %s: %s\n", v.LastDay, v.LastHash)
	}

	return nil
}

func problemLine(p sqlstore.Problem) string {
	line := printable(p.What)
	if p.Service != "" {
		line = printable(p.Service) + ": " + line
	}
	if p.Chain != "" {
		line += fmt.Sprintf(" (chain %s, row %d)", printable(p.Chain), p.Seq)
	}
	return line
}

func (a *app) auditKinds() *cobra.Command {
	return &cobra.Command{
		Use:   "kinds",
		Short: "List what the audit trail records",
		Long: `List the kinds of events that the audit trail records, what they mean, and how many
rows there are: each (one for each time), limited (up to a share for each address),
counted (for the first ten times in an hour, the hundredth, the thousandth …, with
the count) or sampled (for the first time in an hour and each so-manieth, with the
count).`,
		Example: "  platform audit kinds",
		Args:    a.noArguments,
		RunE: func(*cobra.Command, []string) error {
			if a.output == "json" {
				return a.printJSON(audit.Kinds())
			}

			table := tabwriter.NewWriter(a.streams.Out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "KIND\tROWS\tMEANING")
			for _, info := range audit.Kinds() {
				fmt.Fprintf(table, "%s\t%s\t%s\n", info.Kind, info.Volume, info.Meaning)
			}
			return table.Flush()
		},
	}
}
