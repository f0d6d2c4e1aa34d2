package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
)

// applications looks for settings that suit only a developer's machine, where any program
// may take the place of an application whose redirect URI is on loopback.
func (e *examination) applications(ctx context.Context) {
	apps, err := sqlstore.NewApplications(e.db).Enabled(ctx)
	if err != nil {
		e.warn("applications", rolesRemedy, "can't read the applications: %v", err)
		return
	}

	var developed, misplaced []string
	for _, app := range apps {
		switch {
		case app.Development:
			developed = append(developed, app.ClientID)
		case slices.ContainsFunc(app.RedirectURIs, app.MisplacedLoopback):
			misplaced = append(misplaced, app.ClientID)
		}
	}

	if e.Server.Loopback() { // the platform itself is on loopback
		misplaced = nil
	}

	if len(misplaced) > 0 {
		e.fail("applications", "register https redirect URIs, or set development: true for applications under development",
			"sign-in fails for %s: only NATIVE applications may redirect to http on loopback",
			strings.Join(misplaced, ", "))
	}

	if len(developed) > 0 {
		e.warn("applications", "register https redirect URIs and set development: false before going live",
			"in development, so redirects to http on loopback are allowed: %s", strings.Join(developed, ", "))
	}

	if len(misplaced)+len(developed) == 0 {
		e.ok("applications", "none is in development, and only NATIVE applications redirect to http on loopback")
	}
}
