package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/audit"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/ending"
)

// Desk makes an operator's changes to single things.
type Desk struct {
	DB     *database.DB
	Now    func() time.Time
	Random io.Reader
	DryRun bool // report changes without making them
}

// NotFoundError reports that a thing doesn't exist.
type NotFoundError struct {
	Kind string // application, user, tenant, session
	Name string
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("there is no %s %q", e.Kind, e.Name) }

// work is one transaction.
type work struct {
	*sqlstore.Writer
	trail  *auditstore.Store
	report *manifest.Report
	at     time.Time
	random io.Reader
	ends   bool // access of a tenant or an application ended, and rows remain to be marked
}

func (d Desk) do(ctx context.Context, f func(w *work) error) (*manifest.Report, error) {
	operator := sqlstore.NewOperator(d.DB)
	transact := operator.Tx
	if d.DryRun {
		transact = operator.Try
	}

	report := &manifest.Report{Changes: []manifest.Change{}}
	ends := false
	err := transact(ctx, func(writer *sqlstore.Writer) error {
		w := &work{
			Writer: writer,
			trail:  auditstore.New(writer.Tx(), manifest.AuditService, d.Now, d.Random),
			report: report,
			at:     d.Now(),
			random: d.Random,
		}

		err := f(w)
		ends = w.ends
		return err
	})
	if err != nil {
		return nil, err
	}

	if ends && !d.DryRun {
		// Access has ended with the commit. If this fails, the session service finishes it.
		if _, err := ending.Finish(ctx, d.DB, d.Now()); err != nil {
			return nil, fmt.Errorf("access has ended, but not all sessions and grants are marked yet; "+
				"the session service will do that within minutes: %w", err)
		}
	}

	if d.DryRun {
		report.Secrets = nil // a dry run stored none
	}

	return report, nil
}

// changed reports a change, and records it in the audit trail with its subject.
func (w *work) changed(ctx context.Context, c manifest.Change, subject audit.Event) error {
	w.report.Changes = append(w.report.Changes, c)
	return w.trail.Record(ctx, c.Event(subject))
}

// Application finds an application. It returns *NotFoundError if there is none.
func Application(ctx context.Context, r *sqlstore.Reader, clientID string) (*directory.Application, error) {
	all, err := r.Applications(ctx)
	if err != nil {
		return nil, err
	}

	for _, app := range all {
		if app.ClientID == clientID {
			return app, nil
		}
	}

	return nil, &NotFoundError{Kind: "application", Name: clientID}
}

// Tenant finds a tenant by slug or id. It returns *NotFoundError if there is none.
func Tenant(ctx context.Context, r *sqlstore.Reader, slugOrID string) (*sqlstore.TenantRecord, error) {
	all, err := r.Tenants(ctx)
	if err != nil {
		return nil, err
	}

	for i := range all {
		if all[i].Slug == slugOrID || all[i].ID == slugOrID {
			return &all[i], nil
		}
	}

	return nil, &NotFoundError{Kind: "tenant", Name: slugOrID}
}

// User finds a person by id, or by e-mail address in upper or lower case. It returns
// *NotFoundError if there is none.
func User(ctx context.Context, r *sqlstore.Reader, emailOrID string) (*sqlstore.UserRecord, error) {
	name := strings.ToLower(emailOrID)
	if email, ok := directory.ParseEmail(emailOrID); ok {
		name = email
	}

	user, err := r.User(ctx, name)
	if errors.Is(err, directory.ErrNotFound) {
		return nil, &NotFoundError{Kind: "user", Name: emailOrID}
	}
	return user, err
}
