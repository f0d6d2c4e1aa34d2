package admin

import (
	"context"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/ending"
	"github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
)

// SetPassword sets a person's password. With endAccess it also ends all of their access:
// sessions, and what applications hold.
func (d Desk) SetPassword(ctx context.Context, emailOrID, secret string, endAccess bool) (*manifest.Report, error) {
	hasher, err := password.New(password.Options{Random: d.Random})
	if err != nil {
		return nil, err
	}

	hash, err := hasher.Hash(ctx, secret) // slow, and so before the transaction
	if err != nil {
		return nil, err
	}

	return d.do(ctx, func(w *work) error {
		user, err := User(ctx, &w.Reader, emailOrID)
		if err != nil {
			return err
		}

		if err := w.SetPassword(ctx, user.ID, hash, w.at); err != nil {
			return err
		}

		mark := directorystore.Mark{
			ID:    user.ID,
			Field: directorystore.FieldPassword,
			By:    directorystore.ByOperator,
			Value: hash,
		}
		if err := w.Mark(ctx, directorystore.KindUser, mark, w.at); err != nil {
			return err
		}

		c := manifest.Change{
			Action: manifest.Updated,
			Kind:   "user",
			Name:   user.Email,
			Fields: []string{"password"},
		}
		if err := w.changed(ctx, c, audit.Event{UserID: user.ID}); err != nil || !endAccess {
			return err
		}

		return w.endPerson(ctx, ending.Access{UserID: user.ID}, user.Email)
	})
}

// EndSessions ends the named sessions. A session that has ended already stays as it is. If
// one doesn't exist, it returns a *NotFoundError and changes nothing.
func (d Desk) EndSessions(ctx context.Context, ids ...string) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		for _, id := range ids {
			found, err := sqlstore.Find(ctx, w.Tx(), sqlstore.Filter{ID: id})
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return &NotFoundError{Kind: "session", Name: id}
			}
			if err := w.end(ctx, found[0]); err != nil {
				return err
			}
		}

		return nil
	})
}

// EndSessionsOf ends all sessions of a person.
func (d Desk) EndSessionsOf(ctx context.Context, emailOrID string) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		user, err := User(ctx, &w.Reader, emailOrID)
		if err != nil {
			return err
		}
		return w.endSessions(ctx, ending.Access{UserID: user.ID})
	})
}

// endSessions ends those sessions of a person that haven't ended yet. They include idle
// ones, because applications may still keep sessions of their own for them.
func (w *work) endSessions(ctx context.Context, a ending.Access) error {
	found, err := sqlstore.Find(ctx, w.Tx(), sqlstore.Filter{UserID: a.UserID, TenantID: a.TenantID, UnmarkedAt: w.at})
	if err != nil {
		return err
	}

	for _, s := range found {
		if err := w.end(ctx, s); err != nil {
			return err
		}
	}

	return nil
}

func (w *work) end(ctx context.Context, s sqlstore.Found) error {
	ended, err := sqlstore.End(ctx, w.Tx(), s.ID, w.at)
	if err != nil {
		return err
	}

	if !ended {
		w.report.Unchanged++
		return nil
	}

	w.report.Changes = append(w.report.Changes, manifest.Change{Action: Ended, Kind: "session", Name: s.ID})
	return w.trail.Record(ctx, audit.Event{
		Kind:      audit.SessionEnded,
		UserID:    s.UserID,
		TenantID:  s.TenantID,
		SessionID: s.ID,
		Detail:    map[string]string{"by": audit.ByOperator, "why": "session_end"},
	})
}
