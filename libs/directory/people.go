package directory

import "time"

// Tenant is an organisation whose people sign in.
type Tenant struct {
	ID      string // "tnt_…"
	Slug    string // its name in URLs and tokens
	Name    string
	SSOOnly bool   // its people have no passwords here
	Color   string // accent of its pages, "#rrggbb", or empty
	Active  bool
}

// User is a person, identified by one e-mail address.
type User struct {
	ID            string // "usr_…", the sub of tokens
	Email         string // lower case
	EmailVerified bool
	Name          string
	GivenName     string
	FamilyName    string
	// Claims holds further OpenID Connect standard claims that the operator supplied
	// ("phone_number", "locale", "address" …), by name.
	Claims    map[string]any
	Active    bool
	UpdatedAt time.Time
}

// Account is a person with their credentials. Only the sign-in handles it.
type Account struct {
	User         User
	PasswordHash string // PHC string; empty: no password
	// AccessEnds is how often the person's access had been ended when the account was read (see
	// libs/ending). A session that results from the sign-in starts with this count, so that an
	// end of access in between ends the session too.
	AccessEnds int64
}
