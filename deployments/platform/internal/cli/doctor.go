package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/doctor"
	"github.com/platform-oauth/platform-oauth/libs/database"
)

// servicesOfDoctor are the services whose environment the doctor can examine.
var servicesOfDoctor = []string{"authorize", "token", "device", "session", "keys"}

func (a *app) doctor() *cobra.Command {
	var service, origin string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the database, Vault, the clocks and the way in from outside",
		Long: `Check what a platform stands on, with the configuration of this environment, and
say of each thing ok, warn or fail, and what to do. Nothing is changed; a few error
pages that are asked for get their rows in the audit trail. The checks:

  database           reachable, the schema not older than this program
  database.login     whose rights the login of PLATFORM_DATABASE_URL has
  database.rights    what each service's role may do, against what this version
                     gives it; any login can ask
  applications       none is in development, or redirects to http on loopback without
                     being NATIVE
  vault, vault.login reachable, unsealed; the login that PLATFORM_VAULT_AUTH says
  vault.policy       what its token can and must be able to do, and what it must not
  vault.sign         each key that signs now does sign
  clock              against the database and Vault
  issuer, jwks       the metadata and keys at PLATFORM_PUBLIC_URL are these
  route              every path there reaches the service that owns it
  forwarded          no service ignores a proxy that says who asks (it needs a login
                     that may read the audit trail: platform_operator or the owner)

An environment has one database login and one Vault login. With --service they are
judged as that service's: they must be able to do its work and nothing more. Without
it they may be anybody's, and the report says whose work they do for: run it once
in each service's environment to know of all.`,
		Example: "  platform doctor\n  platform doctor --service token --output json",
		Args:    a.noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if service != "" && !slices.Contains(servicesOfDoctor, service) {
				return usageError{fmt.Errorf("--service is one of %s, not %q",
					strings.Join(servicesOfDoctor, ", "), service)}
			}
			return a.runDoctor(cmd.Context(), service, origin)
		},
	}

	cmd.Flags().StringVar(&service, "service", "",
		"judge the logins as those of this service: "+strings.Join(servicesOfDoctor, ", "))
	cmd.Flags().StringVar(&origin, "public-url", "", "origin that the browser sees, in place of PLATFORM_PUBLIC_URL")

	return cmd
}

func (a *app) runDoctor(ctx context.Context, service, origin string) error {
	var cfg operatorConfig
	overrides := map[string]string{}
	if origin != "" {
		overrides["PLATFORM_PUBLIC_URL"] = origin
	}

	if err := a.loadWith(&cfg, overrides); err != nil {
		return err
	}

	deps := a.deps()
	findings := doctor.Examine(ctx, doctor.Patient{
		Service:  service,
		Server:   cfg.Server,
		Database: cfg.Database,
		Signing:  cfg.Signing,
		Deps:     deps,
		Open: func(ctx context.Context) (*database.DB, error) {
			return openDatabase(ctx, cfg.Database, cfg.Signing.DataDir, deps)
		},
	})
	if err := printRows(a, findings); err != nil {
		return err
	}

	failed := 0
	for _, f := range findings {
		if f.Result == doctor.Fail {
			failed++
		}
	}

	if failed > 0 {
		return fmt.Errorf("%d of %d findings are failures", failed, len(findings))
	}

	return nil
}
