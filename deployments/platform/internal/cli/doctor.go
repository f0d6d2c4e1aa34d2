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
		Short: "Check the database, Vault, the clocks and the ingress",
		Long: `Check a platform and what it depends on, with the configuration of this
environment. Each finding is ok, warn or fail, and says what to do. Nothing is
changed, except that the error pages it requests leave rows in the audit trail.
The checks:

  database           it is reachable, and its schema is not older than this program
  database.login     which services' rights the login in PLATFORM_DATABASE_URL has
  database.rights    each service's role has exactly the privileges that this
                     version needs; any login can check this
  applications       none is in development, and only NATIVE ones redirect to http
                     on loopback
  vault, vault.login it is reachable and unsealed, and PLATFORM_VAULT_AUTH logs in
  vault.policy       the token has the capabilities it needs and no dangerous ones
  vault.sign         each active key can sign
  clock              this machine's clock agrees with the database's and Vault's
  issuer, jwks       the metadata and keys at PLATFORM_PUBLIC_URL match the
                     configuration and the database
  route              every path there reaches the service that owns it
  forwarded          services trust their proxy's X-Forwarded-For (this needs a login
                     that can read the audit trail: platform_operator or the owner)

An environment has one database login and one Vault login. With --service, they are
judged by what that service needs, neither less nor more. Without it, they may
belong to any service, and the report says which one they suit. Run it in each
service's environment to check them all.`,
		Example: "  platform doctor\n  platform doctor --service token --output json",
		Args:    a.noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if service != "" && !slices.Contains(servicesOfDoctor, service) {
				return usageError{fmt.Errorf("--service must be one of %s, not %q",
					strings.Join(servicesOfDoctor, ", "), service)}
			}
			return a.runDoctor(cmd.Context(), service, origin)
		},
	}

	cmd.Flags().StringVar(&service, "service", "",
		"check the logins against what this service needs: "+strings.Join(servicesOfDoctor, ", "))
	cmd.Flags().StringVar(&origin, "public-url", "", "origin that browsers see (overrides PLATFORM_PUBLIC_URL)")

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
		return fmt.Errorf("%d of %d checks failed", failed, len(findings))
	}

	return nil
}
