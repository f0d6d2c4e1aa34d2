package directory

import "time"

// Tenant is an organisation whose people sign in.
type Tenant struct {
	ID      string // "tnt_…"
	Slug    string // its name in URLs and tokens
	Name    string
	SSOOnly bool   // its people have no password here
	Color   string // accent of its pages, "#rrggbb", or empty
	Active  bool
}

// User is a person, known by one e-mail address.
type User struct {
	ID            string // "usr_…", the sub of tokens
	Email         string // lower case
	EmailVerified bool
	Name          string
	GivenName     string
	FamilyName    string
	// Claims are further OpenID Connect standard claims as the operator gave
	// them ("phone_number", "locale", "address" …), by claim name.
	Claims    map[string]any
	Active    bool
	UpdatedAt time.Time
}

// Membership ties a person to a tenant.
type Membership struct {
	UserID   string
	TenantID string
}

// Account is a person together with how they prove who they are. Only the
// sign-in handles it.
type Account struct {
	User         User
	PasswordHash string // PHC string; empty: no password
	// AccessEnds is how often the person's access was ended when the account was read
	// (see libs/ending). A session that comes of the proof begins with it, so that an
	// end in between ends it too.
	AccessEnds int64
}
