package manifest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func (a *applier) id(prefix string) (string, error) { return oauth.NewID(prefix, a.opts.Random) }

// entry is a person of the file with the corresponding person in the database.
type entry struct {
	*person
	email   string // in the stored form
	old     sqlstore.UserRecord
	existed bool
	verdict verdict
}

// applyUsers makes the people match the file, a batch at a time.
func (a *applier) applyUsers(ctx context.Context) error {
	for from := 0; from < a.doc.count(); from += a.opts.Batch {
		if err := a.users(ctx, from, min(from+a.opts.Batch, a.doc.count())); err != nil {
			return err
		}
	}
	return nil
}

// users applies the people with indices from (inclusive) to to (exclusive). It compares
// them, hashes passwords, and writes if anything differs.
func (a *applier) users(ctx context.Context, from, to int) error {
	entries := make([]*entry, 0, to-from)
	for i := from; i < to; i++ {
		e := &entry{person: a.doc.person(i)}
		e.email, _ = directory.ParseEmail(e.Email) // the file has been checked
		entries = append(entries, e)
	}

	err := again(func() error {
		seen := a.look()
		marks, err := seen.find(ctx, entries)
		if err != nil {
			return err
		}

		if err := a.verdicts(ctx, entries, marks); err != nil {
			return err
		}

		work := false
		for _, e := range entries {
			changed, err := seen.user(ctx, e, marks)
			if err != nil {
				return err
			}
			work = work || changed
		}

		if a.opts.DryRun || !work {
			a.tell(seen.out)
			return nil
		}

		return a.write(ctx, func(b *batch) error { return b.users(ctx, entries) })
	})
	if errors.Is(err, errMoved) {
		return fmt.Errorf("passwords of %s to %s keep changing: apply the file again later",
			entries[0].email, entries[len(entries)-1].email)
	}

	return err
}

// find reads the people of the entries from the database, with their marks.
func (b *batch) find(ctx context.Context, entries []*entry) (sqlstore.Marks, error) {
	emails := make([]string, len(entries))
	for i, e := range entries {
		emails[i] = e.email
	}

	have, err := b.r.UsersByEmail(ctx, emails)
	if err != nil {
		return nil, err
	}

	var ids []string
	for _, e := range entries {
		if e.old, e.existed = have[e.email]; e.existed {
			ids = append(ids, e.old.ID)
		}
	}

	return b.r.Marks(ctx, sqlstore.KindUser, ids)
}

// users writes the entries in the batch's transaction, in which it reads them again.
func (b *batch) users(ctx context.Context, entries []*entry) error {
	marks, err := b.find(ctx, entries)
	if err != nil {
		return err
	}

	for _, e := range entries {
		if e.verdict.old != e.old.PasswordHash {
			return errMoved
		}
		if _, err := b.user(ctx, e, marks); err != nil {
			return err
		}
	}

	return nil
}

// user compares an entry, reports the difference, and writes it unless the batch only
// looks. It returns whether there is anything to write.
func (b *batch) user(ctx context.Context, e *entry, marks sqlstore.Marks) (bool, error) {
	want := directory.User{
		ID:            e.old.ID,
		Email:         e.email,
		EmailVerified: e.EmailVerified,
		Name:          e.Name,
		GivenName:     e.GivenName,
		FamilyName:    e.FamilyName,
		Claims:        e.Claims,
	}

	tenants := make([]string, len(e.Tenants))
	for j, slug := range e.Tenants {
		tenants[j] = b.applier.tenants[slug]
	}

	if !e.existed && b.w != nil {
		var err error
		if want.ID, err = b.id("usr_"); err != nil {
			return false, err
		}
	}

	s := subject{
		kind:    sqlstore.KindUser,
		id:      want.ID,
		name:    e.email,
		existed: e.existed,
		active:  e.old.Active,
		said:    e.Enabled,
	}

	enabled, err := b.enabled(ctx, s, marks)
	if err != nil {
		return false, err
	}

	b.conflict(s.kind, s.name, "password", e.verdict.conflict)

	change, err := b.change(e.existed, s.kind, s.name, differencesOf(e, want, tenants), enabled)
	switch {
	case err != nil:
		return false, err
	case b.w == nil:
		return change != nil || e.verdict.adopt, nil
	case change == nil && e.verdict.adopt:
		return true, b.mark(ctx, s.kind, s.id, sqlstore.FieldPassword, e.verdict.hash)
	case change == nil:
		return false, nil
	}

	if err := b.saveUser(ctx, e, want, tenants); err != nil {
		return false, err
	}

	if err := b.flip(ctx, s, enabled); err != nil {
		return false, err
	}

	return true, b.record(ctx, *change, about(s.kind, s.id))
}

func differencesOf(e *entry, want directory.User, tenants []string) diff {
	d := diff{}
	d.field("email", !e.existed || e.old.Email == want.Email)
	d.field("email_verified", e.old.EmailVerified == want.EmailVerified)
	d.field("name", e.old.Name == want.Name)
	d.field("given_name", e.old.GivenName == want.GivenName)
	d.field("family_name", e.old.FamilyName == want.FamilyName)
	d.field("claims", sameJSON(e.old.Claims, want.Claims))
	d.field("tenants", slices.Equal(sorted(e.old.TenantIDs), sorted(tenants)))
	d.field("password", e.verdict.hash == e.verdict.old)
	return d
}

func (b *batch) saveUser(ctx context.Context, e *entry, want directory.User, tenants []string) error {
	if err := b.w.SaveUser(ctx, want, tenants, b.at); err != nil {
		return located(e.places, e.at, err)
	}

	if e.verdict.hash != e.verdict.old {
		done, err := b.w.ReplacePassword(ctx, want.ID, e.verdict.old, e.verdict.hash, b.at)
		switch {
		case err != nil:
			return err
		case !done:
			return errMoved
		}
	}

	if e.verdict.adopt || e.verdict.hash != e.verdict.old {
		if err := b.mark(ctx, sqlstore.KindUser, want.ID, sqlstore.FieldPassword, e.verdict.hash); err != nil {
			return err
		}
	}

	for _, had := range e.old.TenantIDs {
		if !slices.Contains(tenants, had) {
			b.ends = true
		}
	}

	return nil
}

// sameJSON compares claims in their stored form, in which YAML's integers are JSON numbers.
func sameJSON(a, b map[string]any) bool {
	if len(a) == 0 && len(b) == 0 {
		return true
	}

	normal := func(m map[string]any) (v any) {
		data, err := json.Marshal(m)
		if err != nil || json.Unmarshal(data, &v) != nil {
			return m
		}
		return v
	}

	return reflect.DeepEqual(normal(a), normal(b))
}
