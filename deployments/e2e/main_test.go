package e2e

import (
	"cmp"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// services lists the five services.
var services = []string{"authorize", "token", "device", "session", "keys"}

// bin is the folder with the freshly built binaries.
var bin string

func TestMain(m *testing.M) {
	if issuer := os.Getenv(verifierVariable); issuer != "" {
		os.Exit(verifierMain(issuer, os.Stdin, os.Stdout))
	}
	os.Exit(run(m))
}

// run builds the binaries once. The process of the together way is built with
// the race detector when the tests are, or where E2E_RACE is "-race"; the five of
// the apart way never, so that what is shipped is what runs.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "platform-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	defer func() { _ = os.RemoveAll(dir) }()
	bin = dir
	root := filepath.Join("..", "..")
	for _, s := range services {
		if err := build(root, "", "./services/"+s+"/cmd/"+s); err != nil {
			return 1
		}
	}

	if err := build(root, cmp.Or(os.Getenv("E2E_RACE"), raceFlag), "./deployments/platform"); err != nil {
		return 1
	}

	watcher, err := newContract()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	if part := os.Getenv(partVariable); part != "" {
		if err := choose(part); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}

	http.DefaultTransport = watcher
	code := m.Run()
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == ""
	if verdict := watcher.verdict(whole && code == 0); len(verdict) > 0 {
		fmt.Printf("FAIL: api/openapi.yaml and the platform disagree:\n  %s\n", strings.Join(verdict, "\n  "))
		return 1
	}

	return code
}

func build(root, race, pkg string) error {
	args := []string{"build", "-tags", "nomsgpack", "-o", bin + string(filepath.Separator)}
	if race != "" {
		args = append(args, race)
	}

	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "build %s: %v\n", pkg, err)
		return err
	}

	return nil
}
