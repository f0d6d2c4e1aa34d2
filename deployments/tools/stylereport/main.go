// Stylereport prints how the repository reads, in numbers: paragraphs in
// functions, one field a line in literals, parentheses where operators mix, the
// width of lines. With -check it exits with 1 when a number is past its limit.
//
//	stylereport [-check] [folder]
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// width is the longest line that Go files and Markdown prose may have, in characters.
const width = 120

// longFunction is the number of lines from which a function needs a blank line.
const longFunction = 15

func main() {
	check := flag.Bool("check", false, "exit with 1 when a number is past its limit")
	list := flag.Bool("list", false, "name the places that count against a limit")
	flag.Parse()

	root := "."
	if flag.NArg() > 0 {
		root = flag.Arg(0)
	}

	r := &report{list: *list}
	if err := filepath.WalkDir(root, r.visit); err != nil {
		fmt.Fprintln(os.Stderr, "stylereport:", err)
		os.Exit(1)
	}

	if past := r.print(); past && *check {
		fmt.Fprintln(os.Stderr, "stylereport: a number is past its limit; -list names the places")
		os.Exit(1)
	}
}

// report counts over all files.
type report struct {
	list bool

	bodyLines, blankLines      int // inside function bodies
	longFunctions, solid       int // of longFunction lines or more; those without a blank line
	literals, crowded          int // of four fields or more; those with several on a line
	mixed                      int // && and || side by side without parentheses
	goLines, wideGo            int
	wideMarkdown               int // outside tables, code and links that cannot be broken
	tellsWhether, reportsWhere int
	examples                   int
}

func (r *report) visit(path string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}

	if entry.IsDir() {
		switch entry.Name() {
		case ".git", "node_modules", "bin", "stubs", "testdata":
			return fs.SkipDir
		}
		return nil
	}

	switch filepath.Ext(path) {
	case ".go":
		return r.goFile(path)
	case ".md":
		return r.markdown(path)
	}
	return nil
}

func (r *report) goFile(path string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}

	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.ParseComments)
	if err != nil {
		return err
	}
	if ast.IsGenerated(file) {
		return nil
	}

	lines := strings.Split(strings.TrimSuffix(string(source), "\n"), "\n")
	for i, line := range lines {
		r.goLines++
		if wide(line) {
			r.wideGo++
			r.place(path, i+1, "wide line")
		}
	}

	for _, group := range file.Comments {
		text := strings.Join(strings.Fields(group.Text()), " ")
		r.tellsWhether += strings.Count(text, "tells whether")
		r.reportsWhere += strings.Count(text, "reports whether")
	}

	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncDecl:
			r.function(files, node, lines)
		case *ast.CompositeLit:
			r.literal(files, node)
		case *ast.BinaryExpr:
			r.operators(files, node)
		}
		return true
	})
	return nil
}

func wide(line string) bool {
	return utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")) > width
}

func (r *report) function(files *token.FileSet, f *ast.FuncDecl, lines []string) {
	if strings.HasPrefix(f.Name.Name, "Example") && f.Recv == nil {
		r.examples++
	}
	if f.Body == nil {
		return
	}

	first, last := files.Position(f.Body.Lbrace).Line+1, files.Position(f.Body.Rbrace).Line-1
	blank := 0
	for n := first; n <= last; n++ {
		r.bodyLines++
		if strings.TrimSpace(lines[n-1]) == "" {
			blank++
		}
	}
	r.blankLines += blank

	if last-first+1 < longFunction {
		return
	}
	r.longFunctions++
	if blank == 0 {
		r.solid++
		position := files.Position(f.Pos())
		r.place(position.Filename, position.Line, "a long function without a blank line")
	}
}

func (r *report) literal(files *token.FileSet, l *ast.CompositeLit) {
	if len(l.Elts) < 4 {
		return
	}
	if _, keyed := l.Elts[0].(*ast.KeyValueExpr); !keyed {
		return
	}
	if _, isMap := l.Type.(*ast.MapType); isMap {
		return
	}
	r.literals++

	for i := 1; i < len(l.Elts); i++ {
		if files.Position(l.Elts[i-1].End()).Line == files.Position(l.Elts[i].Pos()).Line {
			r.crowded++
			position := files.Position(l.Pos())
			r.place(position.Filename, position.Line, "several fields on a line")
			return
		}
	}
}

func (r *report) operators(files *token.FileSet, or *ast.BinaryExpr) {
	if or.Op != token.LOR {
		return
	}
	for _, side := range []ast.Expr{or.X, or.Y} {
		if and, ok := side.(*ast.BinaryExpr); ok && and.Op == token.LAND {
			r.mixed++
			position := files.Position(or.Pos())
			r.place(position.Filename, position.Line, "&& and || without parentheses")
			return
		}
	}
}

func (r *report) markdown(path string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}

	code := false
	lines := bufio.NewScanner(bytes.NewReader(source))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		}
		if code || strings.HasPrefix(strings.TrimSpace(line), "|") || !wide(line) {
			continue
		}
		r.wideMarkdown++
		r.place(path, n, "wide line")
	}
	return lines.Err()
}

func (r *report) place(path string, line int, what string) {
	if r.list {
		fmt.Printf("%s:%d: %s\n", path, line, what)
	}
}

// print writes the table and reports whether a number is past its limit.
func (r *report) print() (past bool) {
	row := func(what, value, limit string, within bool) {
		mark := "ok"
		if !within {
			mark, past = "PAST", true
		}
		fmt.Printf("%-62s %10s   %-12s %s\n", what, value, limit, mark)
	}

	blank := share(r.blankLines, r.bodyLines)
	row("blank lines inside function bodies", percent(blank), "6-14 %", blank >= 6 && blank <= 14)

	solid := share(r.solid, r.longFunctions)
	row("functions of 15 lines or more without a blank line", percent(solid), "< 15 %", solid < 15)

	crowded := share(r.crowded, r.literals)
	row("literals of four fields or more with several on a line", percent(crowded), "< 5 %", crowded < 5)

	wideGo := share(r.wideGo, r.goLines)
	row("Go lines over 120 columns", percent(wideGo), "< 0.5 %", wideGo < 0.5)

	row("&& and || mixed without parentheses", count(r.mixed), "0", r.mixed == 0)
	row("Markdown lines over 120 columns, outside tables and code", count(r.wideMarkdown), "0", r.wideMarkdown == 0)
	row(`comments that say "tells whether"`, count(r.tellsWhether), "0", r.tellsWhether == 0)
	row(`comments that say "reports whether"`, count(r.reportsWhere), "", true)
	row("Example functions", count(r.examples), ">= 15", r.examples >= 15)
	return past
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", share) }

func count(n int) string { return fmt.Sprint(n) }
