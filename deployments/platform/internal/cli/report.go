package cli

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
)

// conflictError makes the exit code say that conflicts were left as they are.
type conflictError struct{ n int }

func (e conflictError) Error() string {
	return fmt.Sprintf("settings changed since the last apply and kept: %d; change the file, or apply it with --overrule", e.n)
}

// reportPrinter prints a report in parts, each once it is committed. It keeps none of the
// changes, because a file may have 100,000.
type reportPrinter struct {
	a         *app
	dryRun    bool
	changes   int
	conflicts []manifest.Conflict
	secrets   []manifest.Secret
	unchanged int
	err       error
}

func (a *app) newReportPrinter(dryRun bool) *reportPrinter {
	return &reportPrinter{a: a, dryRun: dryRun}
}

// batch prints the changes of a batch. Tables have fixed columns, because the next batch
// isn't known yet.
func (p *reportPrinter) batch(r *manifest.Report) {
	for _, c := range r.Changes {
		p.changes++
		if p.a.output == "json" {
			p.change(c)
			continue
		}
		p.line(c.Action, c.Kind, c.Name, c.Detail())
	}

	if p.a.output != "json" {
		for _, s := range r.Secrets {
			fmt.Fprintf(p.a.streams.Out, "client secret of %s, shown only this once: %s\n", s.ClientID, s.Secret)
		}
	}

	p.secrets = append(p.secrets, r.Secrets...)
	p.conflicts = append(p.conflicts, r.Conflicts...)
	p.unchanged += r.Unchanged
}

func (p *reportPrinter) line(action, kind, name, detail string) {
	row := fmt.Sprintf("%-8s  %-11s  %s", action, kind, printable(name))
	if detail != "" {
		row = fmt.Sprintf("%-8s  %-11s  %-32s  %s", action, kind, printable(name), printable(detail))
	}
	fmt.Fprintln(p.a.streams.Out, row)
}

// change writes one element of the document's list of changes.
func (p *reportPrinter) change(c manifest.Change) {
	before := ",\n    "
	if p.changes == 1 {
		before = "{\n  \"changes\": [\n    "
	}
	fmt.Fprint(p.a.streams.Out, before)
	p.encode(c)
}

// encode writes a value of the document. finish returns the first error.
func (p *reportPrinter) encode(v any) {
	text, err := json.Marshal(v)
	if err == nil {
		_, err = p.a.streams.Out.Write(text)
	}
	p.err = cmp.Or(p.err, err)
}

// finish prints what belongs to no batch. Its error says whether there were conflicts.
func (p *reportPrinter) finish(r *manifest.Report, done bool) error {
	if p.a.output == "json" {
		p.finishJSON(r, done)
	} else {
		p.finishTable(r, done)
	}

	if p.err != nil {
		return p.err
	}

	if done && len(p.conflicts) > 0 {
		return conflictError{len(p.conflicts)}
	}

	return nil
}

func (p *reportPrinter) finishJSON(r *manifest.Report, done bool) {
	head := "{\n  \"changes\": []"
	if p.changes > 0 {
		head = "\n  ]"
	}

	fmt.Fprint(p.a.streams.Out, head)
	members := []struct {
		name  string
		value any
		said  bool
	}{
		{"conflicts", p.conflicts, len(p.conflicts) > 0},
		{"warnings", r.Warnings, len(r.Warnings) > 0},
		{"secrets", p.secrets, len(p.secrets) > 0},
		{"unfinished", true, !done},
		{"unchanged", p.unchanged, true},
	}
	for _, m := range members {
		if !m.said {
			continue
		}
		fmt.Fprintf(p.a.streams.Out, ",\n  %q: ", m.name)
		p.encode(m.value)
	}

	fmt.Fprint(p.a.streams.Out, "\n}\n")
}

func (p *reportPrinter) finishTable(r *manifest.Report, done bool) {
	for _, c := range p.conflicts {
		p.line("conflict", c.Kind, c.Name, c.Field+": "+c.Reason)
	}

	for _, warning := range r.Warnings {
		fmt.Fprintln(p.a.streams.Out, "warning: "+printable(warning))
	}

	how := "applied"
	switch {
	case p.dryRun:
		how = "dry run, nothing was changed"
	case !done:
		how = "stopped in the middle"
	}

	fmt.Fprintf(p.a.streams.Out, "%d changed, %d unchanged: %s\n", p.changes, p.unchanged, how)
}

// printReport prints a complete report.
func (a *app) printReport(report *manifest.Report, dryRun bool) error {
	printer := a.newReportPrinter(dryRun)
	printer.batch(report)
	return printer.finish(report, true)
}
