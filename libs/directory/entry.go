package directory

import (
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Obstacle is a reason why a person may not sign in to a tenant or continue there.
type Obstacle string

// Obstacles, in the order in which Entry.Obstacle checks for them.
const (
	NoObstacle      Obstacle = ""
	NoPerson        Obstacle = "no such person, or disabled"
	NoTenant        Obstacle = "no such tenant, or disabled"
	NotMember       Obstacle = "not a member of the tenant"
	NoApplication   Obstacle = "no such application, or disabled"
	PasswordRefused Obstacle = "the tenant takes no passwords"
)

// Entry describes a person signing in to a tenant or continuing there, with a session, a code,
// a device code, a grant or a token.
type Entry struct {
	User        *User   // nil: no such user
	Tenant      *Tenant // nil: no such tenant
	Member      bool    // User is a member of Tenant
	Application *Application
	// Alone is set when no application is involved, as on the account page.
	Alone bool
	// AMR says how the person authenticated (RFC 8176). It is empty for grants made before it
	// was recorded, when the password was the only method.
	AMR []string
}

// Obstacle is the single rule of who may sign in and continue. Every service applies it to rows
// it has just read. sqlstore.Stands expresses the same rule in SQL, for statements that redeem
// something, and a test compares the two. A further condition, such as a tenant's policy, must
// be added to both.
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

// Stands reports whether there is no obstacle.
func (e Entry) Stands() bool { return e.Obstacle() == NoObstacle }

// EntryTo returns the entry to one of the tenants that a person is a member of. The entry to
// any other tenant has an obstacle.
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

// Enterable returns those tenants of memberOf that a person signed in by amr may enter. app is
// nil if no application is involved.
func Enterable(user *User, memberOf []Tenant, app *Application, amr []string) []Tenant {
	var open []Tenant
	for _, t := range memberOf {
		if EntryTo(t.ID, user, memberOf, app, amr).Stands() {
			open = append(open, t)
		}
	}
	return open
}
