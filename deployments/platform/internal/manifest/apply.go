package manifest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

// ApplyOptions are how a file is applied.
type ApplyOptions struct {
	Rules  Rules
	DryRun bool // change nothing, report all the same
	Prune  bool // disable what the database has and the file does not
	Now    func() time.Time
	Random io.Reader
}

// Actions of a Change.
const (
	Created  = "created"
	Updated  = "updated"
	Disabled = "disabled"
)

// Change is one thing that was made different.
type Change struct {
	Action string   `json:"action"`
	Kind   string   `json:"kind"` // tenant, user, application
	Name   string   `json:"name"` // slug, e-mail address, client id
	Fields []string `json:"fields,omitempty"`
}

// Detail lists what changed in an update.
func (c Change) Detail() string { return strings.Join(c.Fields, ", ") }

// Secret is a generated client secret: the only time it can be read.
type Secret struct {
	ClientID string `json:"client_id"`
	Secret   string `json:"client_secret"`
}

// Report says what an application of a file changed, or would.
type Report struct {
	Changes   []Change `json:"changes"`
	Secrets   []Secret `json:"secrets,omitempty"`
	Unchanged int      `json:"unchanged"`
}

// errDryRun rolls the transaction back.
var errDryRun = errors.New("dry run")

// Apply makes the database what the document says, in one transaction, or
// answers everything that is wrong with it, as Problems. Applying it again
// changes nothing.
func Apply(ctx context.Context, db *database.DB, doc *Document, opts ApplyOptions) (*Report, error) {
	secrets, err := doc.validate(opts.Rules)
	if err != nil {
		return nil, err
	}
	var report *Report
	err = sqlstore.NewOperator(db).Tx(ctx, func(w *sqlstore.Writer) error {
		a := &applier{w: w, doc: doc, opts: opts, at: opts.Now(), secrets: secrets, report: &Report{Changes: []Change{}}}
		if err := a.run(ctx); err != nil {
			return err
		}
		report = a.report
		if opts.DryRun {
			return errDryRun
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDryRun) {
		return nil, err
	}
	return report, nil
}

// applier makes one transaction's changes.
type applier struct {
	w       *sqlstore.Writer
	doc     *Document
	opts    ApplyOptions
	at      time.Time
	secrets map[string]string // client secrets from files, by client id
	report  *Report

	tenants map[string]string // ids by slug
}

func (a *applier) run(ctx context.Context) error {
	have, err := a.w.Tenants(ctx)
	if err != nil {
		return err
	}
	if err := a.checkReferences(have); err != nil {
		return err
	}
	if err := a.applyTenants(ctx, have); err != nil {
		return err
	}
	if err := a.applyUsers(ctx); err != nil {
		return err
	}
	return a.applyApplications(ctx)
}

// note records a change, or that there is none.
func (a *applier) note(existed bool, kind, name string, fields []string) bool {
	switch {
	case !existed:
		a.report.Changes = append(a.report.Changes, Change{Action: Created, Kind: kind, Name: name})
	case len(fields) > 0:
		a.report.Changes = append(a.report.Changes, Change{Action: Updated, Kind: kind, Name: name, Fields: fields})
	default:
		a.report.Unchanged++
		return false
	}
	return true
}

// disabled records what --prune switched off.
func (a *applier) disabled(kind, name string) {
	a.report.Changes = append(a.report.Changes, Change{Action: Disabled, Kind: kind, Name: name})
}

// located puts the file and line before a conflict.
func (a *applier) located(path string, err error) error {
	var conflict *sqlstore.ConflictError
	if errors.As(err, &conflict) {
		return Problems{a.doc.problem(path, "%v", conflict)}
	}
	return err
}

// diff collects the names of fields that differ.
type diff []string

func (d *diff) field(name string, same bool) {
	if !same {
		*d = append(*d, name)
	}
}

// sorted is a sorted copy, nil for none.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
