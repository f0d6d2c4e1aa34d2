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
		e.warn("applications", rolesRemedy, "the applications cannot be read: %v", err)
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
		e.fail("applications", "register https for them, or set development: true for those that are being built",
			"people cannot sign in to %s by http on loopback, which is for NATIVE applications",
			strings.Join(misplaced, ", "))
	}

	if len(developed) > 0 {
		e.warn("applications", "set development: false, and register https, once they are in use",
			"in development, and so allowed to redirect to http on loopback: %s", strings.Join(developed, ", "))
	}

	if len(misplaced)+len(developed) == 0 {
		e.ok("applications", "none is in development or redirects where any program on a device may listen")
	}
}
