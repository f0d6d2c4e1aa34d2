package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/pqguard"
	"github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
)

const rolesRemedy = "run `platform migrate --roles` as the owner of the tables"

// openDatabase opens and checks the database. Without one, the checks that need it are
// skipped.
func (e *examination) openDatabase(ctx context.Context) {
	if e.Database.SQLite() {
		path := e.Database.SQLitePath(e.Signing.DataDir)
		if _, err := os.Stat(path); err != nil {
			e.fail("database", "start `platform up`, or set PLATFORM_DATA_DIR or PLATFORM_DATABASE_URL",
				"there is no database: %v", err)
			return
		}
	}

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	db, err := e.Open(ctx)
	if err != nil {
		e.fail("database", "check that the server is running and that PLATFORM_DATABASE_URL is right",
			"can't open the database: %v", err)
		return
	}

	if !e.schema(ctx, db) {
		_ = db.Close()
		return
	}

	e.db = db
	e.keys(ctx)
	e.applications(ctx)

	if db.Dialect() != database.Postgres {
		return
	}

	e.databaseClock(ctx)
	e.login(ctx)
	e.rights(ctx)
}

func (e *examination) schema(ctx context.Context, db *database.DB) bool {
	where := "SQLite, " + e.Database.SQLitePath(e.Signing.DataDir)
	if u, err := pqguard.ParseURL(e.Database.URL); err == nil && db.Dialect() == database.Postgres {
		where = "PostgreSQL at " + u.Host + u.Path
	}

	err := db.CheckSchema(ctx)
	var old *database.SchemaError
	switch {
	case errors.As(err, &old):
		e.fail("database", "run `platform migrate`", "%s: schema version %d, but this program needs %d",
			where, old.Have, old.Need)
	case err != nil:
		e.fail("database", "grant the login one of the platform's roles",
			"%s: can't read the schema version: %v", where, err)
	default:
		latest, _ := database.LatestSchema()
		e.ok("database", "%s: schema version %d or later", where, latest)
	}

	return err == nil
}

// keys reads the key schedule for the other checks.
func (e *examination) keys(ctx context.Context) {
	store := sqlstore.New(e.db)
	var err, wantedErr error
	e.schedule, err = store.Keys(ctx)
	e.wanted, wantedErr = store.Wanted(ctx)
	if err := errors.Join(err, wantedErr); err != nil {
		e.fail("database.keys", rolesRemedy, "can't read the schedule of signing keys: %v", err)
	}
}

func (e *examination) databaseClock(ctx context.Context) {
	var theirs database.Time
	asked := e.Deps.Now()
	if err := e.db.Get(ctx, "doctor.clock", &theirs, `SELECT clock_timestamp()`); err != nil {
		e.fail("clock.database", "", "can't read the database's clock: %v", err)
		return
	}

	e.clock("database", theirs.Time, asked, e.Deps.Now(), 0)
}

// databaseLogin is the role as which we are logged in.
type databaseLogin struct {
	Name      string `db:"name"`
	Superuser bool   `db:"superuser"`
	Owner     bool   `db:"owner"`
	Roles     string `db:"roles"` // group roles, separated by commas
}

// login checks the login. A service's login has only that service's rights, so that an
// attacker who takes the service over gets no more.
func (e *examination) login(ctx context.Context) {
	var who databaseLogin
	err := e.db.Get(ctx, "doctor.login", &who, `
SELECT current_user AS name, (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS superuser,
       coalesce((SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c WHERE c.oid = to_regclass('applications')), false) AS owner,
       coalesce((SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_catalog.pg_roles
                  WHERE rolname = ANY (string_to_array($1, ',')) AND pg_has_role(oid, 'USAGE')), '') AS roles`,
		strings.Join(database.RoleNames(), ","))
	if err != nil {
		e.fail("database.login", "", "can't read the login's roles: %v", err)
		return
	}

	own := "platform_" + e.Service
	has := strings.FieldsFunc(who.Roles, func(r rune) bool { return r == ',' })
	more := slices.DeleteFunc(slices.Clone(has), func(r string) bool { return r == own })
	separate := fmt.Sprintf("give the service a login of its own: GRANT %s TO its_login", own)
	switch all := who.Superuser || who.Owner; {
	case e.Service == "" && all:
		e.ok("database.login",
			"%s owns the tables and has every right: fine for `platform up` and `platform migrate`, too much for a single service", who.Name)
	case e.Service == "" && len(has) == 0:
		e.fail("database.login", "GRANT one of "+strings.Join(database.RoleNames(), ", ")+" TO "+who.Name,
			"%s has no service's rights", who.Name)
	case e.Service == "":
		e.ok("database.login", "%s has the rights of %s", who.Name, strings.Join(has, ", "))
	case all:
		e.warn("database.login", separate,
			"%s owns the tables or is a superuser, so the service has every right", who.Name)
	case !slices.Contains(has, own):
		e.fail("database.login", fmt.Sprintf("GRANT %s TO %s", own, who.Name),
			"%s lacks the rights of %s", who.Name, own)
	case len(more) > 0:
		e.warn("database.login", fmt.Sprintf("REVOKE %s FROM %s", strings.Join(more, ", "), who.Name),
			"%s also has the rights of %s", who.Name, strings.Join(more, ", "))
	default:
		e.ok("database.login", "%s has the rights of %s and no others", who.Name, own)
	}
}

// rights compares what the roles may do, all of them or only the service's, with the rights
// that this version grants.
func (e *examination) rights(ctx context.Context) {
	diff, err := database.CompareRights(ctx, e.db)
	if err != nil {
		e.fail("database.rights", "", "can't read the roles' rights: %v", err)
		return
	}

	names := database.RoleNames()
	if e.Service != "" {
		names = []string{"platform_" + e.Service}
	}

	theirs := func(r database.Right) bool { return slices.Contains(names, r.Role) }
	absent := slices.DeleteFunc(diff.Absent, func(r string) bool { return !slices.Contains(names, r) })
	before := len(e.findings)

	switch {
	case len(absent) > 0 && len(absent) == len(names) && e.Service == "":
		e.warn("database.rights", rolesRemedy, "the services' roles don't exist; only `platform up` works without them")
	case len(absent) > 0:
		e.fail("database.rights", rolesRemedy, "missing role: %s", strings.Join(absent, ", "))
	}

	for _, r := range diff.Missing {
		if theirs(r) {
			e.fail("database.rights", rolesRemedy, "missing privilege: %s", r)
		}
	}

	for _, r := range diff.Excess {
		if theirs(r) {
			e.warn("database.rights", rolesRemedy+", once no older version runs", "unneeded privilege: %s", r)
		}
	}

	if len(e.findings) == before {
		e.ok("database.rights", "%s: exactly the privileges that this version needs", strings.Join(names, ", "))
	}
}
