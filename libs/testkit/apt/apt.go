package apt

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// timeout bounds an installation, including the wait for another test binary's
// installation.
const timeout = 10 * time.Minute

// Install installs Debian packages with apt-get for a program that tests need and that is
// missing; what is the program's name in the error. It needs root. Test binaries that want a
// package at the same time wait for each other.
func Install(what string, packages ...string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s is not installed, and only root may install it (apt-get install %s)", what, packages[0])
	}

	program, err := exec.LookPath("apt-get")
	if err != nil {
		return fmt.Errorf("%s is not installed, and there is no apt-get to install it with", what)
	}

	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	options := []string{"-o", "DPkg::Lock::Timeout=300", "-y", "-q"}
	for _, args := range [][]string{{"update"}, append([]string{"install", "--no-install-recommends"}, packages...)} {
		cmd := exec.CommandContext(ctx, program, append(options, args...)...) //nolint:gosec // fixed package names
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s is not installed, and apt-get %s failed: %w\n%s", what, args[0], err, out)
		}
	}

	return nil
}
