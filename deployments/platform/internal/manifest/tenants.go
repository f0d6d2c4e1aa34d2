package manifest

import (
	"context"
	"fmt"
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

// checkReferences holds what the file says about tenants and domains against
// those that there are and will be.
func (a *applier) checkReferences(have []sqlstore.TenantRecord) error {
	listed := map[string]bool{}
	active := map[string]bool{}
	for _, t := range a.doc.Tenants {
		listed[t.Slug], active[t.Slug] = true, true
	}
	owner := map[string]string{} // of domains, by tenants that keep them
	pruning := a.opts.Prune && a.doc.Tenants != nil
	for _, t := range have {
		if listed[t.Slug] {
			continue
		}
		active[t.Slug] = t.Active && !pruning
		for _, domain := range t.Domains {
			owner[domain] = t.Slug
		}
	}
	c := &checker{doc: a.doc}
	for i, t := range a.doc.Tenants {
		for j, domain := range t.Domains {
			if slug := owner[domain]; slug != "" {
				c.refuse(fmt.Sprintf("tenants[%d].domains[%d]", i, j), "%q belongs to tenant %q: list that one too, without it", domain, slug)
			}
		}
	}
	missing := func(path, slug string) {
		if !active[slug] {
			c.refuse(path, "there is no active tenant %q, in the file or in the database", slug)
		}
	}
	for i, u := range a.doc.Users {
		for j, slug := range u.Tenants {
			missing(fmt.Sprintf("users[%d].tenants[%d]", i, j), slug)
		}
	}
	for i, app := range a.doc.Applications {
		if app.Tenant != "" {
			missing(fmt.Sprintf("applications[%d].tenant", i), app.Tenant)
		}
	}
	return c.problems.err()
}

// tenantChange is a tenant that is to be saved.
type tenantChange struct {
	path    string
	tenant  directory.Tenant
	domains []string
	kept    []string // the domains that it has already
	change  *Change
}

func (a *applier) applyTenants(ctx context.Context, have []sqlstore.TenantRecord) error {
	bySlug := map[string]sqlstore.TenantRecord{}
	a.tenants = map[string]string{}
	for _, t := range have {
		bySlug[t.Slug] = t
		a.tenants[t.Slug] = t.ID
	}
	var changes []tenantChange
	for i, t := range a.doc.Tenants {
		old, existed := bySlug[t.Slug]
		delete(bySlug, t.Slug)
		change, err := a.tenantChange(i, old, existed)
		if err != nil {
			return err
		}
		if change.change != nil {
			changes = append(changes, change)
		}
	}
	// First without new domains: one may move from a tenant to another.
	for _, c := range changes {
		if err := a.w.SaveTenant(ctx, c.tenant, c.kept, a.at); err != nil {
			return a.located(c.path, err)
		}
	}
	for _, c := range changes {
		if err := a.w.SaveTenant(ctx, c.tenant, c.domains, a.at); err != nil {
			return a.located(c.path, err)
		}
		if err := a.record(ctx, *c.change, audit.Event{TenantID: c.tenant.ID}); err != nil {
			return err
		}
	}
	if !a.opts.Prune || a.doc.Tenants == nil {
		return nil
	}
	for _, t := range have {
		if _, left := bySlug[t.Slug]; !left || !t.Active {
			continue
		}
		if err := a.w.DisableTenant(ctx, t.ID, a.at); err != nil {
			return err
		}
		if err := a.disabled(ctx, "tenant", t.Slug, audit.Event{TenantID: t.ID}); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) tenantChange(i int, old sqlstore.TenantRecord, existed bool) (c tenantChange, err error) {
	t := a.doc.Tenants[i]
	c = tenantChange{
		path:    fmt.Sprintf("tenants[%d]", i),
		tenant:  directory.Tenant{ID: old.ID, Slug: t.Slug, Name: t.Name, SSOOnly: t.SSOOnly, Color: t.Color, Active: true},
		domains: sorted(t.Domains),
	}
	for _, domain := range old.Domains {
		if slices.Contains(c.domains, domain) {
			c.kept = append(c.kept, domain)
		}
	}
	d := diff{}
	d.field("name", old.Name == t.Name)
	d.field("sso_only", old.SSOOnly == t.SSOOnly)
	d.field("color", old.Color == t.Color)
	d.field("domains", slices.Equal(sorted(old.Domains), c.domains))
	d.field("enabled", old.Active)
	if !existed {
		if c.tenant.ID, err = a.id("tnt_"); err != nil {
			return c, err
		}
		a.tenants[t.Slug] = c.tenant.ID
	}
	c.change, err = a.change(existed, "tenant", t.Slug, d)
	return c, err
}
