package directory

import (
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Obstacle is why a person may not sign in to a tenant, or not go on there.
type Obstacle string

// Obstacles, in the order in which Entry.Obstacle looks for them.
const (
	NoObstacle      Obstacle = ""
	NoPerson        Obstacle = "no such person, or disabled"
	NoTenant        Obstacle = "no such tenant, or disabled"
	NotMember       Obstacle = "not a member of the tenant"
	NoApplication   Obstacle = "no such application, or disabled"
	PasswordRefused Obstacle = "the tenant takes no passwords"
)

// Entry is a person who signs in to a tenant, or goes on there: with a session, a
// code, a device code, a grant or a token.
type Entry struct {
	User        *User   // nil: there is none
	Tenant      *Tenant // nil: there is none
	Member      bool    // of the tenant
	Application *Application
	// Alone says that no application has a part, as on the account page.
	Alone bool
	// AMR is how the person proved who they are (RFC 8176). None is known of grants
	// from before it was kept, when there was the password alone.
	AMR []string
}

// Obstacle is the one rule of who may sign in and go on. Every service asks it, of
// rows that it has just read; sqlstore.Stands says the same in SQL, for statements
// that redeem something, and a test compares the two. A further condition, such as a
// tenant's policy, goes here and there.
func (e Entry) Obstacle() Obstacle {
	switch {
	case e.User == nil || !e.User.Active:
		return NoPerson
	case e.Tenant == nil || !e.Tenant.Active:
		return NoTenant
	case !e.Member:
		return NotMember
	case !e.Alone && (e.Application == nil || !e.Application.Active):
		return NoApplication
	case e.Tenant.SSOOnly && (len(e.AMR) == 0 || slices.Contains(e.AMR, oauth.AMRPassword)):
		return PasswordRefused
	default:
		return NoObstacle
	}
}

// Stands reports whether nothing stands in the way.
func (e Entry) Stands() bool { return e.Obstacle() == NoObstacle }

// EntryTo is the entry to one of the tenants that a person is a member of. To any
// other tenant it has an obstacle.
func EntryTo(tenantID string, user *User, memberOf []Tenant, app *Application, amr []string) Entry {
	e := Entry{
		User:        user,
		Application: app,
		Alone:       app == nil,
		AMR:         amr,
	}

	i := slices.IndexFunc(memberOf, func(t Tenant) bool { return t.ID == tenantID })
	if i >= 0 {
		e.Tenant, e.Member = &memberOf[i], true
	}

	return e
}

// Enterable returns those of the tenants that a person is a member of which are open
// to them, signed in by amr. app is nil where no application has a part.
func Enterable(user *User, memberOf []Tenant, app *Application, amr []string) []Tenant {
	var open []Tenant
	for _, t := range memberOf {
		if EntryTo(t.ID, user, memberOf, app, amr).Stands() {
			open = append(open, t)
		}
	}
	return open
}
