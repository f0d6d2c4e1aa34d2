package manifest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

// Pruning says whether to disable what the database has and the file doesn't. More than a
// few removals must be confirmed, because a truncated file, or one that belongs to another
// platform, looks like a request to remove everything.
type Pruning struct {
	Wanted bool
	Count  int // how many the caller expects; 0: not given

	// Ask asks a person a yes-or-no question. It is nil if there is no person to ask.
	Ask func(question string) (bool, error)
}

// freeRemovals is how many removals need no confirmation, if they are at most a tenth of
// all things of their kind.
const freeRemovals = 10

// PruneError reports that more would be disabled than was confirmed. Nothing was changed.
type PruneError struct {
	What  string // "12 of 40 users"
	Count int
}

func (e *PruneError) Error() string {
	return fmt.Sprintf("nothing was applied: --prune would disable %s: review them with --dry-run, and confirm with --prune=%d", e.What, e.Count)
}

// removal is something to be disabled.
type removal struct{ id, name string }

// removals holds what the database has and the file doesn't, by kind.
type removals map[sqlstore.Kind][]removal

// planRemovals finds what pruning would disable, and asks for confirmation if it is much.
func (a *applier) planRemovals(ctx context.Context, have []sqlstore.TenantRecord) error {
	if !a.opts.Prune.Wanted {
		return nil
	}

	a.remove = removals{}
	there := map[sqlstore.Kind]int{}

	if a.doc.Tenants != nil {
		for _, t := range have {
			if t.Active {
				there[sqlstore.KindTenant]++
				a.removeUnless(a.listsTenant(t.Slug), sqlstore.KindTenant, t.ID, t.Slug)
			}
		}
	}

	if a.doc.Applications != nil {
		apps, err := a.reader.Applications(ctx)
		if err != nil {
			return err
		}

		for _, app := range apps {
			if app.Active {
				there[sqlstore.KindApplication]++
				a.removeUnless(a.listsApplication(app.ClientID), sqlstore.KindApplication, app.ClientID, app.ClientID)
			}
		}
	}

	if a.doc.listed {
		n, err := a.planUsers(ctx)
		if err != nil {
			return err
		}
		there[sqlstore.KindUser] = n
	}

	return a.confirm(there)
}

// planUsers finds the people whom pruning would disable, and returns the number of all
// people. It reads them in pages.
func (a *applier) planUsers(ctx context.Context) (there int, err error) {
	const page = 1000
	for after := ""; ; {
		users, err := a.reader.ActiveUsers(ctx, after, page)
		if err != nil {
			return 0, err
		}

		for _, u := range users {
			email, ok := directory.ParseEmail(u.Email) // the stored spelling may be an earlier version's
			if !ok {
				email = u.Email
			}
			_, listed := a.people.index[email]
			a.removeUnless(listed, sqlstore.KindUser, u.ID, u.Email)
		}

		there += len(users)
		if len(users) < page {
			return there, nil
		}

		after = users[len(users)-1].Email
	}
}

func (a *applier) removeUnless(listed bool, kind sqlstore.Kind, id, name string) {
	if !listed {
		a.remove[kind] = append(a.remove[kind], removal{id, name})
	}
}

func (a *applier) listsTenant(slug string) bool {
	return slices.ContainsFunc(a.doc.Tenants, func(t Tenant) bool { return t.Slug == slug })
}

func (a *applier) listsApplication(clientID string) bool {
	return slices.ContainsFunc(a.doc.Applications, func(app Application) bool { return app.ClientID == clientID })
}

// confirm refuses unconfirmed removals if they are many. A dry run shows them.
func (a *applier) confirm(there map[sqlstore.Kind]int) error {
	total, many := 0, false
	var what []string
	for _, kind := range []sqlstore.Kind{sqlstore.KindTenant, sqlstore.KindUser, sqlstore.KindApplication} {
		n := len(a.remove[kind])
		total += n
		many = many || n*10 > there[kind]
		if n > 0 {
			what = append(what, fmt.Sprintf("%d of %d %ss", n, there[kind], kind))
		}
	}

	said := a.opts.Prune.Count
	refused := &PruneError{What: strings.Join(what, ", "), Count: total}
	switch {
	case a.opts.DryRun, total == 0 && said == 0, said > 0 && said == total:
		return nil
	case said > 0 && total == 0:
		return fmt.Errorf("nothing was applied: --prune=%d was given, but there is nothing to disable", said)
	case said > 0:
		return refused
	case total <= freeRemovals && !many:
		return nil
	case a.opts.Prune.Ask == nil:
		return refused
	}

	yes, err := a.opts.Prune.Ask(fmt.Sprintf("--prune will disable %s.", refused.What))
	if err != nil {
		return err
	}

	if !yes {
		return refused
	}

	return nil
}

func (a *applier) pruneTenants(ctx context.Context) error { return a.prune(ctx, sqlstore.KindTenant) }

func (a *applier) pruneUsers(ctx context.Context) error { return a.prune(ctx, sqlstore.KindUser) }

func (a *applier) pruneApplications(ctx context.Context) error {
	return a.prune(ctx, sqlstore.KindApplication)
}

// prune disables what was planned, but nothing that was added since.
func (a *applier) prune(ctx context.Context, kind sqlstore.Kind) error {
	for some := range slices.Chunk(a.remove[kind], a.opts.Batch) {
		err := a.write(ctx, func(b *batch) error {
			for _, r := range some {
				if err := b.prune(ctx, kind, r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}

	return nil
}

func (b *batch) prune(ctx context.Context, kind sqlstore.Kind, r removal) error {
	c := Change{Action: Disabled, Kind: string(kind), Name: r.name}
	if b.w != nil {
		done, err := b.disable(ctx, kind, r.id)
		if err != nil || !done {
			return err
		}
		if err := b.record(ctx, c, about(kind, r.id)); err != nil {
			return err
		}
	}

	b.out.Changes = append(b.out.Changes, c)
	return nil
}
