package manifest

import (
	"context"
	"fmt"
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

// checkReferences checks what the file says about tenants and domains against those that
// exist and will exist.
func (a *applier) checkReferences(have []sqlstore.TenantRecord) error {
	listed := map[string]bool{}
	active := map[string]bool{}
	for _, t := range a.doc.Tenants {
		listed[t.Slug], active[t.Slug] = true, true
	}

	owner := map[string]string{} // domains of tenants that keep them
	pruning := a.opts.Prune.Wanted && a.doc.Tenants != nil
	for _, t := range have {
		if listed[t.Slug] {
			continue
		}

		active[t.Slug] = t.Active && !pruning
		for _, domain := range t.Domains {
			owner[domain] = t.Slug
		}
	}

	c := &checker{places: a.doc.places, doc: a.doc}
	for i, t := range a.doc.Tenants {
		for j, domain := range storedDomains(t.Domains) {
			if slug := owner[domain]; slug != "" {
				c.refuse(fmt.Sprintf("tenants[%d].domains[%d]", i, j),
					"%q belongs to tenant %q: list that tenant too, without the domain", domain, slug)
			}
		}
	}

	for i, app := range a.doc.Applications {
		if app.Tenant != "" && !active[app.Tenant] {
			c.refuse(fmt.Sprintf("applications[%d].tenant", i), noTenant, app.Tenant)
		}
	}

	for slug := range a.people.tenants {
		if !active[slug] {
			a.checkMemberships(c, active)
			break
		}
	}

	return c.problems.err()
}

const noTenant = "there is no active tenant %q, in the file or in the database"

// checkMemberships finds people who are members of tenants that don't exist.
func (a *applier) checkMemberships(c *checker, active map[string]bool) {
	for i := range a.doc.count() {
		p := a.doc.person(i)
		for j, slug := range p.Tenants {
			if !active[slug] {
				c.problems = append(c.problems, p.problem(fmt.Sprintf("%s.tenants[%d]", p.at, j), noTenant, slug))
			}
		}
	}
}

// storedDomains returns domains in their stored form, in the order of the file.
func storedDomains(typed []string) []string {
	domains := make([]string, 0, len(typed))
	for _, t := range typed {
		domain, _ := directory.ParseDomain(t) // the file has been checked
		domains = append(domains, domain)
	}
	return domains
}

// tenantChange is a tenant to be saved.
type tenantChange struct {
	subject
	path    string
	tenant  directory.Tenant
	domains []string
	kept    []string // the domains that it has already and keeps
	ssoOnly flip
	flip    flip
	change  *Change
}

// applyTenants makes the tenants match the file. Tenants that exchange a domain are one
// batch, so that the domain never leads nowhere.
func (a *applier) applyTenants(ctx context.Context) error {
	have, err := a.reader.Tenants(ctx)
	if err != nil {
		return err
	}

	for _, some := range a.tenantBatches(have) {
		err := a.write(ctx, func(b *batch) error { return b.tenants(ctx, some) })
		if err != nil {
			return err
		}
	}

	return nil
}

// tenantBatches returns batches of indices of the file's tenants, first those of tenants
// that exchange domains.
func (a *applier) tenantBatches(have []sqlstore.TenantRecord) [][]int {
	owner := map[string]string{}
	for _, t := range have {
		for _, domain := range t.Domains {
			owner[domain] = t.Slug
		}
	}

	moving := map[string]bool{}
	for _, t := range a.doc.Tenants {
		for _, domain := range storedDomains(t.Domains) {
			if from := owner[domain]; from != "" && from != t.Slug {
				moving[from], moving[t.Slug] = true, true
			}
		}
	}

	var together, rest []int
	for i, t := range a.doc.Tenants {
		if moving[t.Slug] {
			together = append(together, i)
		} else {
			rest = append(rest, i)
		}
	}

	var batches [][]int
	if len(together) > 0 {
		batches = append(batches, together)
	}

	for some := range slices.Chunk(rest, a.opts.Batch) {
		batches = append(batches, some)
	}

	return batches
}

func (b *batch) tenants(ctx context.Context, indices []int) error {
	have, err := b.r.Tenants(ctx)
	if err != nil {
		return err
	}

	bySlug := map[string]sqlstore.TenantRecord{}
	var ids []string

	for _, t := range have {
		bySlug[t.Slug] = t
	}

	for _, i := range indices {
		ids = append(ids, bySlug[b.doc.Tenants[i].Slug].ID)
	}

	marks, err := b.r.Marks(ctx, sqlstore.KindTenant, ids)
	if err != nil {
		return err
	}

	var changes []tenantChange
	for _, i := range indices {
		old, existed := bySlug[b.doc.Tenants[i].Slug]
		c, err := b.tenantChange(ctx, i, old, existed, marks)
		if err != nil {
			return err
		}
		if c.change != nil {
			changes = append(changes, c)
		}
	}

	if b.w == nil {
		return nil
	}

	// First save them without new domains, because a domain may move from one tenant to
	// another.
	for _, c := range changes {
		if err := b.w.SaveTenant(ctx, c.tenant, c.kept, b.at); err != nil {
			return located(b.doc.places, c.path, err)
		}
	}

	for _, c := range changes {
		if err := b.saveTenant(ctx, c); err != nil {
			return err
		}
	}

	return nil
}

func (b *batch) saveTenant(ctx context.Context, c tenantChange) error {
	if err := b.w.SaveTenant(ctx, c.tenant, c.domains, b.at); err != nil {
		return located(b.doc.places, c.path, err)
	}
	if err := b.flip(ctx, c.subject, c.flip); err != nil {
		return err
	}

	b.ends = b.ends || (c.existed && c.ssoOnly.on())
	return b.record(ctx, *c.change, about(sqlstore.KindTenant, c.id))
}

func (b *batch) tenantChange(
	ctx context.Context, i int, old sqlstore.TenantRecord, existed bool, marks sqlstore.Marks,
) (c tenantChange, err error) {
	t := b.doc.Tenants[i]
	c = tenantChange{
		path: fmt.Sprintf("tenants[%d]", i),
		tenant: directory.Tenant{
			ID:      old.ID,
			Slug:    t.Slug,
			Name:    t.Name,
			SSOOnly: t.SSOOnly,
			Color:   t.Color,
		},
		domains: sorted(storedDomains(t.Domains)),
		ssoOnly: flip{is: old.SSOOnly, shall: t.SSOOnly},
	}
	for _, domain := range old.Domains {
		if slices.Contains(c.domains, domain) {
			c.kept = append(c.kept, domain)
		}
	}

	if !existed {
		if c.tenant.ID, err = b.id("tnt_"); err != nil {
			return c, err
		}
	}

	b.applier.tenants[t.Slug] = c.tenant.ID

	c.subject = subject{
		kind:    sqlstore.KindTenant,
		id:      c.tenant.ID,
		name:    t.Slug,
		existed: existed,
		active:  old.Active,
		said:    t.Enabled,
	}
	if c.flip, err = b.enabled(ctx, c.subject, marks); err != nil {
		return c, err
	}

	d := diff{}
	d.field("name", old.Name == t.Name)
	d.field("sso_only", old.SSOOnly == t.SSOOnly)
	d.field("color", old.Color == t.Color)
	d.field("domains", slices.Equal(sorted(old.Domains), c.domains))
	c.change, err = b.change(existed, sqlstore.KindTenant, t.Slug, d, c.flip)

	return c, err
}
