package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// fact is something that the product says in one file only, its home.
type fact struct {
	home string
	// hooks are files that may list the same things, to say what each of them does.
	hooks []string
	what  string
	// says reports whether a node of a file says it. Generated files and tests may.
	says func(n ast.Node) bool
}

var facts = []fact{
	{
		home:  "libs/oauth/grants.go",
		hooks: []string{"services/token/internal/app/issuer.go"},
		what:  "the grant types are listed",
		says:  listsGrants,
	},
	{
		home: "libs/oauth/paths.go",
		what: "the path of the platform stands",
		says: text(func(s string) bool { return strings.Contains(s, oauth.PlatformPath) }),
	},
	{
		home: "libs/oauth/errors.go",
		what: "it is decided what is unavailable",
		says: asksUnavailable,
	},
	{
		home: "libs/signing/tokens.go",
		what: "the types of tokens stand",
		says: text(regexp.MustCompile(`^[a-z-]+\+jwt$`).MatchString),
	},
	{
		home: "libs/signing/audience.go",
		what: "the claim aud is decoded",
		says: decodesAudience,
	},
}

// twice returns the places in a module that say a fact again.
func twice(repo fs.FS, module string) ([]string, error) {
	names, err := productFiles(repo, module)
	if err != nil {
		return nil, err
	}

	var problems []string
	for _, name := range names {
		for _, f := range facts {
			if name == f.home || slices.Contains(f.hooks, name) {
				continue
			}

			places, err := f.in(repo, name)
			if err != nil {
				return nil, err
			}
			for _, at := range places {
				problems = append(problems, fmt.Sprintf("%s: %s in %s only", at, f.what, f.home))
			}
		}
	}

	return problems, nil
}

// in returns where a file says the fact, as file:line.
func (f *fact) in(repo fs.FS, name string) ([]string, error) {
	source, err := fs.ReadFile(repo, name)
	if err != nil {
		return nil, err
	}

	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}

	if ast.IsGenerated(file) {
		return nil, nil
	}

	var places []string
	ast.Inspect(file, func(n ast.Node) bool {
		if field, ok := n.(*ast.Field); ok {
			field.Tag = nil // prose for --help, which can't name a constant
		}
		if n != nil && f.says(n) {
			places = append(places, fmt.Sprintf("%s:%d", name, files.Position(n.Pos()).Line))
		}
		return true
	})

	return places, nil
}

// text returns a test for string literals.
func text(is func(s string) bool) func(ast.Node) bool {
	return func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return false
		}
		s, err := strconv.Unquote(literal.Value)
		return err == nil && is(s)
	}
}

// asksUnavailable finds an interface with the method Unavailable. Methods that answer are of the
// errors themselves.
func asksUnavailable(n ast.Node) bool {
	i, ok := n.(*ast.InterfaceType)
	return ok && slices.ContainsFunc(i.Methods.List, func(m *ast.Field) bool {
		return len(m.Names) == 1 && m.Names[0].Name == "Unavailable"
	})
}

func decodesAudience(n ast.Node) bool {
	f, ok := n.(*ast.FuncDecl)
	if !ok || f.Recv == nil || f.Name.Name != "UnmarshalJSON" {
		return false
	}
	of, ok := f.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	name, ok := of.X.(*ast.Ident)
	return ok && strings.Contains(strings.ToLower(name.Name), "audience")
}

// manyGrants is how many grant types make a list. A rule may well be about two of them.
const manyGrants = 3

var (
	grantConstant = regexp.MustCompile(`^Grant[A-Z]\w+$`)
	word          = regexp.MustCompile(`[\w:-]+`)
)

// listsGrants finds composite literals, switches and texts that name many grant types.
func listsGrants(n ast.Node) bool {
	named := map[string]bool{}
	switch n := n.(type) {
	case *ast.CompositeLit:
		for _, e := range n.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok {
				named[grantIn(pair.Key)] = true
				e = pair.Value
			}
			named[grantIn(e)] = true
		}
	case *ast.SwitchStmt:
		for _, clause := range n.Body.List {
			for _, e := range clause.(*ast.CaseClause).List {
				named[grantIn(e)] = true
			}
		}
	case *ast.BasicLit:
		s, _ := strconv.Unquote(n.Value)
		for _, w := range word.FindAllString(s, -1) {
			named[grantNamed(w)] = true
		}
	}

	delete(named, "")
	return len(named) >= manyGrants
}

// grantIn returns the grant type that an expression is, or "". It looks into conversions and
// into the fields of a literal without a type, as in a table.
func grantIn(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.CallExpr:
		if to, ok := e.Fun.(*ast.Ident); ok && to.Name == "string" && len(e.Args) == 1 {
			return grantIn(e.Args[0])
		}
	case *ast.CompositeLit:
		for _, field := range e.Elts {
			if pair, ok := field.(*ast.KeyValueExpr); ok {
				field = pair.Value
			}
			if grant := grantIn(field); grant != "" && e.Type == nil {
				return grant
			}
		}
	case *ast.SelectorExpr:
		return grantIn(e.Sel)
	case *ast.Ident:
		if grantConstant.MatchString(e.Name) && !strings.HasPrefix(e.Name, "GrantType") {
			return e.Name
		}
	case *ast.BasicLit:
		s, _ := strconv.Unquote(e.Value)
		return grantNamed(s)
	}

	return ""
}

// grantNamed returns s if it is a grant type or the name of one.
func grantNamed(s string) string {
	if slices.Contains(oauth.GrantNames(), s) || slices.Contains(oauth.GrantTypes(), oauth.GrantType(s)) {
		return s
	}
	return ""
}

// forgotten returns the facts whose home no longer says them.
func forgotten(repo fs.FS) []string {
	var problems []string
	for _, f := range facts {
		for _, home := range append([]string{f.home}, f.hooks...) {
			places, err := f.in(repo, home)
			if err != nil {
				problems = append(problems, "archtest: "+err.Error())
			} else if len(places) == 0 {
				problems = append(problems, fmt.Sprintf("archtest: nowhere in %s: %s: correct facts", home, f.what))
			}
		}
	}
	return problems
}
