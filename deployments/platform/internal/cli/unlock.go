package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/admin"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/config"
)

// encryptionConfig is the configuration of a command that reads or clears values that are
// kept under the encryption keys.
type encryptionConfig struct {
	Encryption config.Encryption
}

func (a *app) userUnlock() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unlock EMAIL",
		Short: "Forget a person's wrong passwords",
		Long: `Forget the wrong passwords counted for a person: those from unknown browsers, from each
address and from the person's own browsers. The person can try again at once. What an
address did to other accounts stays counted.

The counts are keyed with PLATFORM_ENCRYPTION_KEYS, so the command needs the keys of
the services, or the data folder of platform up.`,
		Example: "  platform user unlock ada@acme.test",
		Args:    oneArgument("EMAIL"),
	}

	dryRun := dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		secret, err := a.limitSecret()
		if err != nil {
			return err
		}

		return a.change(cmd, *dryRun, func(ctx context.Context, desk admin.Desk) (*manifest.Report, error) {
			return desk.UnlockUser(ctx, args[0], secret)
		})
	}

	return cmd
}

// limitSecret returns the secret under which the services count. It doesn't make a key,
// because nothing is counted under a new one.
func (a *app) limitSecret() ([]byte, error) {
	defaults := config.EmbeddedDefaults()
	if a.setting(encryptionVariable, nil) == "" && a.setting(encryptionVariable+"_FILE", nil) == "" {
		path := filepath.Join(a.dataFolder(nil), encryptionFile)
		if _, err := os.Stat(path); err != nil {
			return nil, usageError{fmt.Errorf("%s is not set and there is no %s: set it to the services' keys", encryptionVariable, path)}
		}
		if _, err := a.encryptionKeys(defaults, nil, noRandom{}); err != nil {
			return nil, err
		}
	}

	var cfg encryptionConfig
	err := config.Load(&cfg, config.LoadOptions{Environ: a.environ, Defaults: defaults})

	return cfg.Encryption.Derive("limits"), err
}

// noRandom is a random source that fails, so that a command can't make a key.
type noRandom struct{}

func (noRandom) Read([]byte) (int, error) { return 0, errors.New("this command creates no key") }
