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
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

// defaultBatch is the most changes that a transaction makes. It is large enough to make the
// cost of a commit small per change, and small enough that a waiting writer notices no
// delay.
const defaultBatch = 200

// ApplyOptions says how to apply a file.
type ApplyOptions struct {
	Rules    Rules
	DryRun   bool    // read, compare and report, but change nothing
	Prune    Pruning // disable what the database has and the file doesn't
	Create   bool    // refuse what exists already, with *ExistsError
	Overrule bool    // also overwrite what a command has changed since the last apply
	Batch    int     // the most changes in a transaction; 200 when 0
	Now      func() time.Time
	Random   io.Reader // safe for concurrent use

	// Told receives a report of each batch after its commit; the report that Apply returns
	// then has only what belongs to no batch. If Told is nil, it has everything.
	Told func(batch *Report)
}

// AuditService is the name under which the audit trail records administration.
const AuditService = "operator"

// Actions of a Change.
const (
	Created  = "created"
	Updated  = "updated"
	Disabled = "disabled"
)

// Change is one change that was made.
type Change struct {
	Action string   `json:"action"`
	Kind   string   `json:"kind"` // tenant, user, application
	Name   string   `json:"name"` // slug, e-mail address, client id
	Fields []string `json:"fields,omitempty"`
}

// Event returns the row of the audit trail that records the change. subject has the ids of
// what was changed.
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

// Conflict is a value that the file would change but that something other than apply has
// set. It was left as it is.
type Conflict struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Field  string `json:"field"` // as the file spells it
	Reason string `json:"reason"`
}

// Secret is a generated client secret. This is the only time that it can be read.
type Secret struct {
	ClientID string `json:"client_id"`
	Secret   string `json:"client_secret"`
}

// ExistsError reports that a thing to be created exists already.
type ExistsError struct{ Kind, Name string }

func (e *ExistsError) Error() string { return fmt.Sprintf("%s %q already exists", e.Kind, e.Name) }

// Report says what applying a file changed, or would change.
type Report struct {
	Changes   []Change   `json:"changes"`
	Conflicts []Conflict `json:"conflicts,omitempty"`
	Warnings  []string   `json:"warnings,omitempty"`
	Secrets   []Secret   `json:"secrets,omitempty"`
	Unchanged int        `json:"unchanged"`
}

func (r *Report) add(part *Report) {
	r.Changes = append(r.Changes, part.Changes...)
	r.Conflicts = append(r.Conflicts, part.Conflicts...)
	r.Secrets = append(r.Secrets, part.Secrets...)
	r.Unchanged += part.Unchanged
}

// UnfinishedError is the error that stopped Apply after some batches were committed. They
// stay; applying the same file again continues from there.
type UnfinishedError struct {
	Changed int
	Err     error
}

func (e *UnfinishedError) Error() string {
	cause := e.Err.Error()
	var problems Problems
	if errors.As(e.Err, &problems) {
		cause = problems.list()
	}
	return fmt.Sprintf("stopped after %d changes, which are kept: apply the same file again to continue: %s", e.Changed, cause)
}

// Unwrap returns the error that stopped Apply.
func (e *UnfinishedError) Unwrap() error { return e.Err }

// Apply makes the database match the document. First it checks everything, in the file and
// against the database, and returns every problem as Problems. Then it works in short
// transactions, so that it doesn't block sign-ins: tenants, people and applications, each
// followed by what is pruned. Passwords are hashed between the transactions. Whatever stops
// it, every tenant, person and application is either as before or as in the file. Applying
// the file again continues, and applying it once more changes nothing.
//
// A value that an operator's command has changed since the last apply is left alone and
// reported as a Conflict.
func Apply(ctx context.Context, db *database.DB, doc *Document, opts ApplyOptions) (*Report, error) {
	checked := doc.check(opts.Rules)
	if err := checked.problems.err(); err != nil {
		return nil, err
	}

	hasher, err := password.New(password.Options{Random: opts.Random, Slots: hashSlots()})
	if err != nil {
		return nil, err
	}

	if opts.Batch <= 0 {
		opts.Batch = defaultBatch
	}

	a := &applier{
		db:       db,
		doc:      doc,
		opts:     opts,
		secrets:  checked.secrets,
		people:   checked.people,
		hasher:   hasher,
		operator: sqlstore.NewOperator(db),
		reader:   sqlstore.NewReader(db),
		tenants:  map[string]string{},
		report:   &Report{Changes: []Change{}, Warnings: checked.warnings},
	}
	if err := a.prepare(ctx); err != nil {
		return nil, err
	}

	if err := a.run(ctx); err != nil {
		if a.changed > 0 && !opts.DryRun {
			err = &UnfinishedError{Changed: a.changed, Err: err}
		}
		return a.report, err
	}

	return a.report, nil
}

// applier applies one document.
type applier struct {
	db       *database.DB
	doc      *Document
	opts     ApplyOptions
	secrets  map[string]string // client secrets from files, by client id
	people   people
	hasher   *password.Hasher
	operator *sqlstore.Operator
	reader   *sqlstore.Reader

	tenants map[string]string // ids by slug
	remove  removals
	report  *Report
	changed int // committed
}

// prepare reads what the file refers to and what pruning would disable. It fails if
// references are wrong or the removals aren't confirmed.
func (a *applier) prepare(ctx context.Context) error {
	have, err := a.reader.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, t := range have {
		a.tenants[t.Slug] = t.ID
	}
	if err := a.checkReferences(have); err != nil {
		return err
	}

	return a.planRemovals(ctx, have)
}

func (a *applier) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		a.applyTenants, a.pruneTenants, a.applyUsers, a.pruneUsers, a.applyApplications, a.pruneApplications,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// batch is one transaction, or what would be one in a dry run.
type batch struct {
	*applier
	r     *sqlstore.Reader
	w     *sqlstore.Writer // nil in a dry run, or while the batch only looks
	trail *auditstore.Store
	at    time.Time
	out   *Report
	ends  bool // the batch ends access of people
}

// errMoved rolls a batch back because something changed between looking and writing.
var errMoved = errors.New("changed meanwhile")

// attempts is how often a batch is tried when concurrent changes roll it back.
const attempts = 5

// look returns a batch that compares without a transaction, and so waits for none.
func (a *applier) look() *batch {
	return &batch{
		applier: a,
		r:       a.reader,
		at:      a.opts.Now(),
		out:     &Report{},
	}
}

// write runs f in a transaction, or without one in a dry run, and reports what it did.
func (a *applier) write(ctx context.Context, f func(b *batch) error) error {
	b := a.look()
	if a.opts.DryRun {
		if err := f(b); err != nil {
			return err
		}
		a.tell(b.out)
		return nil
	}

	err := a.operator.Tx(ctx, func(w *sqlstore.Writer) error {
		b.r, b.w = &w.Reader, w
		b.trail = auditstore.New(w.Tx(), AuditService, a.opts.Now, a.opts.Random)
		return f(b)
	})
	if err != nil {
		return err
	}

	a.tell(b.out)

	if b.ends {
		return a.finish(ctx)
	}

	return nil
}

// again repeats f while concurrent changes roll it back.
func again(f func() error) error {
	err := f()
	for n := 1; errors.Is(err, errMoved) && n < attempts; n++ {
		err = f()
	}
	return err
}

// tell reports the changes of a batch.
func (a *applier) tell(out *Report) {
	a.changed += len(out.Changes)
	if a.opts.Told != nil {
		a.opts.Told(out)
		return
	}
	a.report.add(out)
}

// change reports the change to be made to something, if there is any. enabled says whether
// it was enabled and whether it will be.
func (b *batch) change(existed bool, kind sqlstore.Kind, name string, fields []string, enabled flip) (*Change, error) {
	c := Change{
		Action: Updated,
		Kind:   string(kind),
		Name:   name,
		Fields: fields,
	}
	switch {
	case existed && b.opts.Create:
		return nil, &ExistsError{Kind: string(kind), Name: name}
	case !existed:
		c.Action, c.Fields = Created, nil
	case enabled.off():
		c.Action = Disabled
	case enabled.on():
		c.Fields = append(c.Fields, "enabled")
	case len(fields) == 0:
		b.out.Unchanged++
		return nil, nil
	}

	b.out.Changes = append(b.out.Changes, c)
	return &c, nil
}

func (b *batch) conflict(kind sqlstore.Kind, name, field, reason string) {
	if reason == "" {
		return
	}

	b.out.Conflicts = append(b.out.Conflicts, Conflict{
		Kind:   string(kind),
		Name:   name,
		Field:  field,
		Reason: reason,
	})
}

// record writes a change to the audit trail, in the same transaction.
func (b *batch) record(ctx context.Context, c Change, subject audit.Event) error {
	return b.trail.Record(ctx, c.Event(subject))
}

// setBy returns the writer that marks are made for. What a command creates belongs to the
// command.
func (b *batch) setBy() string {
	if b.opts.Create {
		return sqlstore.ByOperator
	}
	return sqlstore.ByApply
}

func (b *batch) mark(ctx context.Context, kind sqlstore.Kind, id, field, value string) error {
	return b.w.Mark(ctx, kind, sqlstore.Mark{
		ID:    id,
		Field: field,
		By:    b.setBy(),
		Value: value,
	}, b.at)
}

// located adds the file and line to the error for a name that is taken.
func located(p places, path string, err error) error {
	var taken *sqlstore.ConflictError
	if errors.As(err, &taken) {
		return Problems{p.problem(path, "%v", taken)}
	}
	return err
}

// diff collects the names of the fields that differ.
type diff []string

func (d *diff) field(name string, same bool) {
	if !same {
		*d = append(*d, name)
	}
}

// sorted returns a sorted copy, or nil for an empty list.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
