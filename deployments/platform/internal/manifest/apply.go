package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

// ApplyOptions are how a file is applied.
type ApplyOptions struct {
	Rules  Rules
	DryRun bool // change nothing, report all the same
	Prune  bool // disable what the database has and the file does not
	Create bool // refuse what is there already, as *ExistsError
	Now    func() time.Time
	Random io.Reader // safe for concurrent use
}

// AuditService is in whose name the audit trail tells of administration.
const AuditService = "operator"

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

// Event is the row of the audit trail that tells of the change; subject has the
// ids of what it is about.
func (c Change) Event(subject audit.Event) audit.Event {
	subject.Kind = map[string]audit.Kind{
		"tenant": audit.TenantChanged, "user": audit.UserChanged, "application": audit.ApplicationChanged,
	}[c.Kind]
	subject.Detail = map[string]string{"action": c.Action}
	if len(c.Fields) > 0 {
		subject.Detail["fields"] = c.Detail()
	}
	return subject
}

// Detail lists what changed in an update.
func (c Change) Detail() string { return strings.Join(c.Fields, ", ") }

// Secret is a generated client secret: the only time it can be read.
type Secret struct {
	ClientID string `json:"client_id"`
	Secret   string `json:"client_secret"`
}

// ExistsError is what was to be created and is there already.
type ExistsError struct{ Kind, Name string }

func (e *ExistsError) Error() string { return fmt.Sprintf("there is a %s %q already", e.Kind, e.Name) }

// Report says what an application of a file changed, or would.
type Report struct {
	Changes   []Change `json:"changes"`
	Secrets   []Secret `json:"secrets,omitempty"`
	Unchanged int      `json:"unchanged"`
}

// Apply makes the database what the document says, in one transaction, or
// answers everything that is wrong with it, as Problems. Applying it again
// changes nothing. Passwords are hashed before the transaction, which nobody then
// waits for.
func Apply(ctx context.Context, db *database.DB, doc *Document, opts ApplyOptions) (*Report, error) {
	secrets, err := doc.validate(opts.Rules)
	if err != nil {
		return nil, err
	}
	hashes, err := hashPasswords(ctx, sqlstore.NewReader(db), doc.Users, opts.Random)
	if err != nil {
		return nil, err
	}
	var report *Report
	operator := sqlstore.NewOperator(db)
	transact := operator.Tx
	if opts.DryRun {
		transact = operator.Try
	}
	err = transact(ctx, func(w *sqlstore.Writer) error {
		a := &applier{
			w: w, doc: doc, opts: opts, at: opts.Now(), secrets: secrets, hashes: hashes, report: &Report{Changes: []Change{}},
			trail: auditstore.New(w.Tx(), AuditService, opts.Now, opts.Random),
		}
		report = a.report
		return a.run(ctx)
	})
	if err != nil {
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
	hashes  map[string]string // of the passwords in the file, by e-mail address
	report  *Report
	trail   *auditstore.Store

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

// change is what is to be done to something, if anything; it is reported.
func (a *applier) change(existed bool, kind, name string, fields []string) (*Change, error) {
	c := Change{Action: Updated, Kind: kind, Name: name, Fields: fields}
	switch {
	case existed && a.opts.Create:
		return nil, &ExistsError{Kind: kind, Name: name}
	case !existed:
		c.Action, c.Fields = Created, nil
	case len(fields) == 0:
		a.report.Unchanged++
		return nil, nil
	}
	a.report.Changes = append(a.report.Changes, c)
	return &c, nil
}

// disabled reports what --prune switched off.
func (a *applier) disabled(ctx context.Context, kind, name string, subject audit.Event) error {
	c := Change{Action: Disabled, Kind: kind, Name: name}
	a.report.Changes = append(a.report.Changes, c)
	return a.record(ctx, c, subject)
}

// record writes a change to the audit trail, in the same transaction.
func (a *applier) record(ctx context.Context, c Change, subject audit.Event) error {
	return a.trail.Record(ctx, c.Event(subject))
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
