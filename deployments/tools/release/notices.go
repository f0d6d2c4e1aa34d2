package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// own is the path below which modules are the project's.
const own = "github.com/platform-oauth/"

var (
	licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([-._].*)?$`)
	notice  = regexp.MustCompile(`(?i)^(notice|patents|copyright)([-._].*)?$`)
)

// linked is what `go list` says about a package that a program links.
type linked struct {
	Dir      string
	Standard bool
	Module   *struct{ Path, Version, Dir string }
}

// text is one licence or notice, and the modules it belongs to.
type text struct {
	content string
	sources []string // "module version: file"
}

// notices prints the licences and notices that lie in or above the folder of any package
// that the programs link on one of the platforms. Modules may contain third-party code in
// a subfolder with a licence of its own; it counts if that code is linked.
func notices(ctx context.Context, out io.Writer, tags string, platforms, programs []string) error {
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}

	found := map[string]*text{}
	licensed := map[string]bool{} // by module: whether a licence was found

	for _, platform := range platforms {
		packages, err := list(ctx, platform, tags, programs)
		if err != nil {
			return err
		}

		for _, pkg := range packages {
			if pkg.Module != nil && strings.HasPrefix(pkg.Module.Path, own) {
				continue
			}

			module, root := "Go standard library", strings.TrimSpace(string(goroot))
			if !pkg.Standard {
				module, root = pkg.Module.Path+" "+pkg.Module.Version, pkg.Module.Dir
			}

			if err := collect(found, licensed, module, root, pkg.Dir); err != nil {
				return err
			}
		}
	}

	for module, has := range licensed {
		if !has {
			return fmt.Errorf("%s is linked and has no licence file", module)
		}
	}

	return printTexts(out, found)
}

// list returns the packages that the programs link on the platform.
func list(ctx context.Context, platform, tags string, programs []string) ([]linked, error) {
	system, architecture, ok := strings.Cut(platform, "/")
	if !ok {
		return nil, fmt.Errorf("platform %q: want GOOS/GOARCH", platform)
	}

	args := append([]string{"list", "-deps", "-json=Dir,Standard,Module", "-tags", tags}, programs...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+architecture, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr

	answer, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list for %s: %w", platform, err)
	}

	var packages []linked
	for decoder := json.NewDecoder(bytes.NewReader(answer)); ; {
		var pkg linked
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", platform, err)
		}

		packages = append(packages, pkg)
	}
}

// collect adds what lies in the folder and in those above it, up to the module's root.
func collect(found map[string]*text, licensed map[string]bool, module, root, folder string) error {
	for {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return err
		}

		has := false
		for _, entry := range entries {
			name := entry.Name()
			isLicence := licence.MatchString(name)
			isText := isLicence || notice.MatchString(name)
			if !isText || entry.IsDir() || filepath.Ext(name) == ".go" {
				continue
			}

			if err := addText(found, module, root, filepath.Join(folder, name)); err != nil {
				return err
			}

			has = has || isLicence
		}

		licensed[module] = licensed[module] || has
		if folder == root {
			return nil
		}

		if folder = filepath.Dir(folder); !strings.HasPrefix(folder, root) {
			return fmt.Errorf("%s: a package lies outside its module's folder %s", module, root)
		}
	}
}

func addText(found map[string]*text, module, root, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}

	name, err := filepath.Rel(root, file)
	if err != nil {
		return err
	}

	key := strings.TrimSpace(strings.ReplaceAll(string(content), "\r\n", "\n"))
	if found[key] == nil {
		found[key] = &text{content: key}
	}

	source := module + ": " + filepath.ToSlash(name)
	if !slices.Contains(found[key].sources, source) {
		found[key].sources = append(found[key].sources, source)
	}

	return nil
}

// printTexts prints each text once, below the modules it belongs to.
func printTexts(out io.Writer, found map[string]*text) error {
	var texts []*text
	for _, t := range found {
		slices.Sort(t.sources)
		texts = append(texts, t)
	}

	slices.SortFunc(texts, func(a, b *text) int { return cmp.Compare(a.sources[0], b.sources[0]) })

	var all strings.Builder
	all.WriteString("The programs contain the work of others, under the licences below.\n")
	for _, t := range texts {
		fmt.Fprintf(&all, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(t.sources, "\n"), t.content)
	}

	_, err := io.WriteString(out, all.String())

	return err
}
