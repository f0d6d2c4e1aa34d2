package manifest

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func (a *applier) id(prefix string) (string, error) { return oauth.NewID(prefix, a.opts.Random) }

func (a *applier) applyUsers(ctx context.Context) error {
	have, err := a.w.Users(ctx)
	if err != nil {
		return err
	}
	byEmail := map[string]sqlstore.UserRecord{}
	for _, u := range have {
		byEmail[u.Email] = u
	}
	for i := range a.doc.Users {
		email := strings.ToLower(a.doc.Users[i].Email)
		old, existed := byEmail[email]
		delete(byEmail, email)
		if err := a.applyUser(ctx, i, old, existed); err != nil {
			return err
		}
	}
	if !a.opts.Prune || a.doc.Users == nil {
		return nil
	}
	for _, u := range have {
		if _, left := byEmail[u.Email]; !left || !u.Active {
			continue
		}
		if err := a.w.DisableUser(ctx, u.ID, a.at); err != nil {
			return err
		}
		if err := a.disabled(ctx, "user", u.Email, audit.Event{UserID: u.ID}); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) applyUser(ctx context.Context, i int, old sqlstore.UserRecord, existed bool) error {
	u := a.doc.Users[i]
	want := directory.User{
		ID: old.ID, Email: strings.ToLower(u.Email), EmailVerified: u.EmailVerified, Name: u.Name,
		GivenName: u.GivenName, FamilyName: u.FamilyName, Claims: u.Claims,
	}
	tenants := make([]string, len(u.Tenants))
	for j, slug := range u.Tenants {
		tenants[j] = a.tenants[slug]
	}
	d := diff{}
	d.field("email_verified", old.EmailVerified == want.EmailVerified)
	d.field("name", old.Name == want.Name)
	d.field("given_name", old.GivenName == want.GivenName)
	d.field("family_name", old.FamilyName == want.FamilyName)
	d.field("claims", sameJSON(old.Claims, want.Claims))
	d.field("tenants", slices.Equal(sorted(old.TenantIDs), sorted(tenants)))
	d.field("enabled", old.Active)
	hash := a.passwordHash(u, old.PasswordHash)
	d.field("password", hash == old.PasswordHash)
	if !existed {
		var err error
		if want.ID, err = a.id("usr_"); err != nil {
			return err
		}
	}
	change, err := a.change(existed, "user", want.Email, d)
	if change == nil {
		return err
	}
	if err := a.w.SaveUser(ctx, want, tenants, a.at); err != nil {
		return a.located(fmt.Sprintf("users[%d]", i), err)
	}
	if hash != old.PasswordHash {
		if err := a.w.SetPassword(ctx, want.ID, hash, a.at); err != nil {
			return err
		}
	}
	return a.record(ctx, *change, audit.Event{UserID: want.ID})
}

// passwordHash is the hash that a person shall have. No password in the file
// leaves them the one they have.
func (a *applier) passwordHash(u User, old string) string {
	switch {
	case u.PasswordHash != "":
		return u.PasswordHash
	case u.Password != "":
		return a.hashes[strings.ToLower(u.Email)]
	}
	return old
}

// sameJSON compares claims as they are stored: YAML's integers are JSON's
// numbers.
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
