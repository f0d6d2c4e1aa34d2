package manifest

import (
	"context"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

// flip says whether something is enabled now and whether it shall be.
type flip struct{ is, shall bool }

func (f flip) on() bool  { return f.shall && !f.is }
func (f flip) off() bool { return f.is && !f.shall }

// subject is a tenant, person or application that may be disabled.
type subject struct {
	kind    sqlstore.Kind
	id      string
	name    string
	existed bool
	active  bool
	said    *bool // enabled in the file; nil: not given
}

// enabled decides whether something shall be enabled. If the file doesn't say, it stays as
// it is, unless apply disabled it, because it was missing from the file then or the file
// said so, and that is no longer the case. If a command has enabled or disabled it since,
// that isn't undone.
func (b *batch) enabled(ctx context.Context, s subject, marks sqlstore.Marks) (flip, error) {
	if !s.existed {
		return flip{is: true, shall: s.said == nil || *s.said}, nil
	}

	mark, known := marks.Of(s.id, sqlstore.FieldEnabled, sqlstore.ByApply)
	ours := false
	if !s.active && known {
		at, err := b.r.DisabledAt(ctx, s.kind, s.id)
		if err != nil {
			return flip{}, err
		}
		ours = mark == sqlstore.Disabled(at)
	}

	f := flip{is: s.active, shall: s.active}
	switch {
	case s.said == nil:
		f.shall = s.active || ours
	case *s.said == s.active:
	case b.opts.Overrule, ours:
		f.shall = *s.said
	case *s.said:
		b.conflict(s.kind, s.name, "enabled", "it was disabled by something other than apply")
	case known && mark != "":
		b.conflict(s.kind, s.name, "enabled", "it was enabled since apply disabled it")
	default:
		f.shall = false
	}

	return f, nil
}

// flip enables or disables something.
func (b *batch) flip(ctx context.Context, s subject, f flip) error {
	switch {
	case f.on():
		if err := b.w.Enable(ctx, s.kind, s.id, b.at); err != nil {
			return err
		}
		return b.mark(ctx, s.kind, s.id, sqlstore.FieldEnabled, "")
	case f.off():
		if _, err := b.disable(ctx, s.kind, s.id); err != nil {
			return err
		}
	}

	return nil
}

// disable disables something, and reports false if it was disabled already.
func (b *batch) disable(ctx context.Context, kind sqlstore.Kind, id string) (bool, error) {
	done, err := b.w.Disable(ctx, kind, id, b.at)
	if err != nil || !done {
		return false, err
	}
	b.ends = true
	return true, b.mark(ctx, kind, id, sqlstore.FieldEnabled, sqlstore.Disabled(b.at))
}

// about returns the subject of an audit event.
func about(kind sqlstore.Kind, id string) audit.Event {
	switch kind {
	case sqlstore.KindTenant:
		return audit.Event{TenantID: id}
	case sqlstore.KindUser:
		return audit.Event{UserID: id}
	default:
		return audit.Event{ClientID: id}
	}
}
