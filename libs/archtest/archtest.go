package archtest

import (
	"bufio"
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// repository is the prefix of every module path.
const repository = "github.com/platform-oauth/platform-oauth"

// Check fails t for every import of the module in the working directory that breaks a rule. A
// test's working directory is its package's folder, so the test must be in the module's root.
func Check(t *testing.T) {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}

	modulePath, err := readModulePath(os.DirFS(root), "go.mod")
	if err != nil {
		t.Fatalf("archtest must run in a module's root: %v", err)
	}

	module, ok := strings.CutPrefix(modulePath, repository+"/")
	if !ok {
		t.Fatalf("module %s is none of %s", modulePath, repository)
	}

	up := strings.Repeat("../", strings.Count(module, "/")+1)
	repo := os.DirFS(filepath.Join(root, filepath.FromSlash(up)))
	problems, err := check(repo, module)
	if err != nil {
		t.Fatal(err)
	}

	again, err := twice(repo, module)
	if err != nil {
		t.Fatal(err)
	}

	problems = append(problems, again...)

	if module == "libs" {
		problems = append(problems, rot(repo)...)
		problems = append(problems, forgotten(repo)...)
	}

	if _, err := os.Stat("cmd"); err == nil && strings.HasPrefix(module, "services/") {
		problems = append(problems, linked(dependencies(t, repo))...)
	}

	for _, p := range problems {
		t.Error(p)
	}
}

// dependencies returns what the module's commands link.
func dependencies(t *testing.T, repo fs.FS) []string {
	t.Helper()

	// "go test" reuses a cached result unless a file that the test itself opened has changed;
	// files opened by go list don't count.
	if _, err := load(repo, "libs"); err != nil {
		t.Fatal(err)
	}

	if _, err := fs.ReadFile(repo, "libs/go.mod"); err != nil {
		t.Fatal(err)
	}

	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "nomsgpack", "./cmd/...")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -deps ./cmd/...: %v\n%s", err, &stderr)
	}

	return strings.Fields(string(out))
}

// pkg is one package of the repository.
type pkg struct {
	dir     string // relative to the repository's root: services/token/internal/app
	imports []imported
}

type imported struct {
	path  string
	where string // file:line
}

// check returns the violations in one module of a repository.
func check(repo fs.FS, module string) ([]string, error) {
	packages, err := load(repo, module)
	if err != nil {
		return nil, err
	}

	var problems []string
	for _, p := range packages {
		if problem := placement(module, p.dir); problem != "" {
			problems = append(problems, p.dir+": "+problem)
		}

		for _, i := range p.imports {
			if problem := judge(module, p.dir, i.path); problem != "" {
				problems = append(problems, fmt.Sprintf("%s imports %s: %s", i.where, i.path, problem))
			}
		}
	}

	if module == "libs" {
		problems = append(problems, plainTypes(packages)...)
	}

	slices.Sort(problems)
	return slices.Compact(problems), nil
}

// load reads the imports of all packages of a module.
func load(repo fs.FS, module string) ([]pkg, error) {
	names, err := productFiles(repo, module)
	if err != nil {
		return nil, err
	}

	byDir := map[string]*pkg{}
	for _, name := range names {
		imports, err := parse(repo, name)
		if err != nil {
			return nil, err
		}

		dir := path.Dir(name)
		if byDir[dir] == nil {
			byDir[dir] = &pkg{dir: dir}
		}

		byDir[dir].imports = append(byDir[dir].imports, imports...)
	}

	var packages []pkg
	for _, p := range byDir {
		packages = append(packages, *p)
	}

	slices.SortFunc(packages, func(a, b pkg) int { return strings.Compare(a.dir, b.dir) })
	return packages, nil
}

// productFiles returns the names of a module's Go files, without tests. It leaves out folders that
// are modules of their own, test data and files of other tools.
func productFiles(repo fs.FS, module string) ([]string, error) {
	var names []string
	err := fs.WalkDir(repo, module, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return skip(repo, module, name)
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

func skip(repo fs.FS, module, dir string) error {
	if dir == module {
		return nil
	}

	base := path.Base(dir)
	if base == "testdata" || base == "node_modules" || base == "vendor" || strings.HasPrefix(base, ".") ||
		strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(repo, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}

	return nil
}

func parse(repo fs.FS, name string) ([]imported, error) {
	source, err := fs.ReadFile(repo, name)
	if err != nil {
		return nil, err
	}

	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}

	var imports []imported
	for _, spec := range file.Imports {
		importPath, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		at := files.Position(spec.Pos())
		imports = append(imports, imported{path: importPath, where: fmt.Sprintf("%s:%d", at.Filename, at.Line)})
	}

	return imports, nil
}

// readModulePath reads the module line of a go.mod file.
func readModulePath(fsys fs.FS, name string) (string, error) {
	content, err := fs.ReadFile(fsys, name)
	if err != nil {
		return "", err
	}

	for scanner := bufio.NewScanner(bytes.NewReader(content)); scanner.Scan(); {
		if module, ok := strings.CutPrefix(scanner.Text(), "module "); ok {
			return strings.TrimSpace(module), nil
		}
	}

	return "", fmt.Errorf("%s has no module line", name)
}
