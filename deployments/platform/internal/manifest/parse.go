package manifest

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxSize bounds the file: a registry of tens of thousands of users fits.
const maxSize = 64 << 20

// Document is a parsed file that remembers where everything stands.
type Document struct {
	File
	name     string
	lines    map[string]int // by path, of what is there and not null
	problems Problems       // what could not be decoded; Validate tells
}

// New makes a document of a file that was written in Go.
func New(name string, f File) *Document { return &Document{File: f, name: name} }

// Parse reads a declarative file. name stands in messages only. The error is for
// what is no YAML at all; an unknown key, a key given twice and a value of the
// wrong type are among what Validate tells, so that everything is told at once.
func Parse(name string, r io.Reader) (*Document, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	whole := func(reason string) error { return Problems{{File: name, Reason: reason}} }
	switch {
	case len(data) > maxSize:
		return nil, whole("is larger than 64 MiB")
	case !utf8.Valid(data):
		return nil, whole("is not UTF-8")
	}
	tree, err := parseYAML(data)
	if err != nil {
		return nil, Problems{syntax(name, err)}
	}
	doc := &Document{name: name, lines: map[string]int{}}
	for i, part := range tree.Docs {
		switch {
		case i > 0:
			return nil, whole("has more than one document: write one in a file")
		case part.Body != nil:
			doc.decode(part.Body)
		}
	}
	return doc, nil
}

// parseYAML makes an error of a panic: the library has had some, for text that
// is no YAML anyway. Keys that are given twice are left to decode, which goes on
// after the first.
func parseYAML(data []byte) (tree *ast.File, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = errors.New("is not YAML that can be read")
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

// syntax turns the YAML library's error into a Problem with its line.
func syntax(name string, err error) Problem {
	p := Problem{File: name, Reason: err.Error()}
	var located yaml.Error
	if errors.As(err, &located) {
		p.Reason = located.GetMessage()
		if token := located.GetToken(); token != nil {
			p.Line = token.Position.Line
		}
	}
	p.Reason = strings.ReplaceAll(p.Reason, "\n", " ")
	return p
}

// problem locates path ("applications[0].type") in the file; what is not there is
// located at what it is missing from.
func (d *Document) problem(path, format string, args ...any) Problem {
	p := Problem{File: d.name, Path: path, Reason: fmt.Sprintf(format, args...)}
	for at := path; at != "" && p.Line == 0; at = parent(at) {
		p.Line = d.lines[at]
	}
	return p
}

// has tells whether the file itself says something at path.
func (d *Document) has(path string) bool { return d.lines[path] > 0 }

func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}
