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
		Short: "Export the audit trail, one row per line",
		Long: `Write the rows of the audit trail in order of time, as one JSON object per line.
--format jsonl writes all fields of a row, including its hashes. --format ocsf writes
events of the Open Cybersecurity Schema Framework, version ` + ocsf.Version + `.

Without --until, it leaves out the last half minute, because rows that sort earlier
may still arrive. At the end it prints a cursor on standard error, from which the
next export continues: --after CURSOR. After an interrupted export, use the id
(metadata.uid in OCSF) of its last line instead.`,
		Example: "  platform audit export --since 24h > trail.jsonl\n  platform audit export --after aud_00064… --format ocsf | collector",
		Args:    a.noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.runExport(cmd.Context(), flags) },
	}

	cmd.Flags().StringVar(&flags.since, "since", "",
		"start of the export: a duration such as 24h, or a time such as 2026-03-01T09:00:00Z")
	cmd.Flags().StringVar(&flags.until, "until", "", "end of the export, in the same form")
	cmd.Flags().StringVar(&flags.after, "after", "", "start after the row with this id, the cursor of an earlier export")
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
		return usageError{errors.New("no start: give --since a time, or --after the cursor of an earlier export")}
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
		Short: "Check that no row of the audit trail was changed or removed",
		Long: `Check the audit trail. Each replica of a service chains its rows by their hashes, one
chain per day, and the keys service seals each day about an hour after its end. If a
row was changed, removed, moved or added, or a chain ends early, or a day is missing,
each problem is printed on a line, and the exit code is 1. Rows older than
PLATFORM_AUDIT_RETENTION aren't missed, because the trail records their removal. Of
rows that versions without chains wrote, the seal has only the number.

The hash of the last sealed day covers all days before it. Keep it elsewhere: the
owner of the database could rewrite the trail and its seals, but not so that they
match that hash.`,
		Example: "  platform audit verify\n  platform audit verify --since 168h -o json",
		Args:    a.noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.runVerify(cmd.Context(), since, until) },
	}

	cmd.Flags().StringVar(&since, "since", "",
		"first day to check: a duration such as 168h, or a time such as 2026-03-01T09:00:00Z")
	cmd.Flags().StringVar(&until, "until", "", "last day to check, in the same form")

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
			return fmt.Errorf("the audit trail has %d problems: compare it with an export, and check which accounts can act as the owner of the database", v.Problems)
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
		fmt.Fprintf(a.streams.Out, ", %d rows from versions without chains", v.Unchained)
	}

	fmt.Fprintln(a.streams.Out)

	if v.Removed != "" {
		fmt.Fprintf(a.streams.Out, "rows before %s were removed by retention\n", v.Removed)
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
rows they leave: each (a row per event), limited (up to a share per address), counted
(a row with the count for the first ten events in an hour, the hundredth, the
thousandth and so on) or sampled (a row with the count for the first event in an hour
and for every nth).`,
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
