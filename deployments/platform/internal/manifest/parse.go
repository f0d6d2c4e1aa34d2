package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const (
	// maxSize bounds the size of the file in bytes. A registry of 200,000 people fits.
	maxSize = 64 << 20

	// maxPiece bounds what is parsed at once, in bytes, because a tree takes a hundred
	// times the memory of its text.
	maxPiece = 1 << 20
)

// Document is a parsed file with the line of each value. It holds the people of a file as
// text and decodes them one at a time.
type Document struct {
	File     // the file without its people, unless it couldn't be split
	places   // of the values in File
	problems Problems

	data   []byte
	people []piece
	listed bool // the file has a section of people

	checked *checker // the result of the last check
}

// places holds the lines of values.
type places struct {
	file  string
	lines map[string]int // by path, of values that are present and not null
}

// New returns a document for a file that was built in Go.
func New(name string, f File) *Document {
	return &Document{File: f, places: places{file: name}, listed: f.Users != nil}
}

// Parse reads a declarative file. name appears only in messages. An unknown key, a
// duplicate key, a value of the wrong type and a piece that isn't YAML are among the
// problems that Validate returns, so that all are reported at once. The error is only for a
// file that can't be read at all.
func Parse(name string, r io.Reader) (*Document, error) {
	data, err := read(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}

	doc := &Document{places: places{file: name, lines: map[string]int{}}, data: data}
	switch {
	case len(data) > maxSize:
		return nil, doc.whole("is larger than 64 MiB")
	case !utf8.Valid(data):
		return nil, doc.whole("is not UTF-8")
	}

	sections, ok := split(data)
	if !ok {
		return doc, doc.decodeWhole()
	}

	first := map[string]int{}
	for _, s := range sections {
		if line, twice := first[s.key]; twice {
			doc.problems = append(doc.problems, Problem{
				File:   name,
				Line:   s.line,
				Path:   s.key,
				Reason: fmt.Sprintf("appears twice, first in line %d", line),
			})

			continue
		}

		first[s.key] = s.line
		doc.section(s)
	}

	return doc, nil
}

// Size returns the length of the file in bytes.
func (d *Document) Size() int { return len(d.data) }

// byteOrderMark is what some editors write at the beginning of a UTF-8 file.
var byteOrderMark = []byte("\ufeff")

// read returns all of r without a byte order mark. It holds a file in memory once, and
// input of unknown size twice for a moment. It never uses a growing buffer.
func read(r io.Reader) ([]byte, error) {
	const chunk = 1 << 20
	r = io.LimitReader(r, maxSize+1)
	var chunks [][]byte
	for total := 0; ; {
		buffer := make([]byte, chunk)
		n, err := io.ReadFull(r, buffer)
		chunks, total = append(chunks, buffer[:n]), total+n
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			data := make([]byte, 0, total)
			for i := range chunks {
				data = append(data, chunks[i]...)
				chunks[i] = nil
			}
			return bytes.TrimPrefix(data, byteOrderMark), nil
		default:
			return nil, err
		}
	}
}

func (d *Document) whole(reason string) error { return Problems{{File: d.file, Reason: reason}} }

// decodeWhole decodes a file that split can't take apart, which must be small.
func (d *Document) decodeWhole() error {
	if len(d.data) > maxPiece {
		return d.whole("is larger than 1 MiB and not laid out in sections: write each section's key at the start " +
			"of a line, and its list below with one line or more per item; or write JSON")
	}

	tree, err := parseYAML(d.data)
	if err != nil {
		return Problems{syntax(d.file, 0, err)}
	}

	decoder := d.decoder(0)
	for i, part := range tree.Docs {
		if i > 0 {
			return d.whole("has more than one document: write one per file")
		}
		if _, nothing := part.Body.(*ast.NullNode); part.Body != nil && !nothing {
			decoder.into("", part.Body, reflect.ValueOf(&d.File).Elem())
		}
	}

	d.problems = append(d.problems, decoder.problems...)
	d.listed = d.Users != nil
	return nil
}

// decoder returns a decoder that records places in the document. before is the number of
// lines before what it decodes.
func (d *Document) decoder(before int) *decoder { return &decoder{places: d.places, before: before} }

// section decodes a section. People are decoded later, one by one.
func (d *Document) section(s section) {
	if s.items == nil {
		d.undivided(s)
		return
	}

	d.lines[s.key] = s.line

	switch s.key {
	case "tenants":
		d.Tenants = make([]Tenant, len(s.items))
		for i := range s.items {
			d.item(s, i, reflect.ValueOf(&d.Tenants[i]).Elem())
		}
	case "applications":
		d.Applications = make([]Application, len(s.items))
		for i := range s.items {
			d.item(s, i, reflect.ValueOf(&d.Applications[i]).Elem())
		}
	case "users":
		d.people, d.listed = s.items, true
	default:
		d.problems = append(d.problems, d.problem(s.key, "unknown key"))
	}
}

// undivided decodes a section that is a single piece, such as an empty list.
func (d *Document) undivided(s section) {
	node := d.tree(s.piece, s.key, &d.problems)
	if node == nil {
		return
	}

	decoder := d.decoder(s.line - 1)
	decoder.into("", node, reflect.ValueOf(&d.File).Elem())
	d.problems = append(d.problems, decoder.problems...)
	d.listed = d.listed || d.Users != nil
}

// item decodes an item of a list into v.
func (d *Document) item(s section, i int, v reflect.Value) {
	decoder := d.decoder(s.items[i].line - 1)
	d.decodeItem(s.items[i], fmt.Sprintf("%s[%d]", s.key, i), decoder, v)
	d.problems = append(d.problems, decoder.problems...)
}

func (d *Document) decodeItem(p piece, path string, decoder *decoder, v reflect.Value) {
	decoder.lines[path] = p.line
	node := d.tree(p, path, &decoder.problems)
	if node == nil {
		return
	}

	if !p.json { // the text is a list with one item
		list, ok := node.(*ast.SequenceNode)
		if !ok || len(list.Values) != 1 {
			decoder.wrong(path, node, "isn't a single list item")
			return
		}
		node = list.Values[0]
	}

	decoder.lines[path] = decoder.line(node)
	decoder.into(path, node, v)
}

// tree parses a piece of the file. It returns nil if the piece is empty or can't be parsed,
// and records the latter as a problem.
func (d *Document) tree(p piece, path string, problems *Problems) ast.Node {
	if p.end-p.start > maxPiece {
		*problems = append(*problems, Problem{
			File:   d.file,
			Line:   p.line,
			Path:   path,
			Reason: "has an item of more than 1 MiB: write a list with one line or more per item, or JSON",
		})

		return nil
	}

	tree, err := parseYAML(d.data[p.start:p.end])
	if err != nil {
		problem := syntax(d.file, p.line-1, err)
		problem.spoils = path
		*problems = append(*problems, problem)
		return nil
	}

	if len(tree.Docs) != 1 {
		return nil
	}

	return tree.Docs[0].Body
}

// person is a person of the file with the lines of the values.
type person struct {
	User
	places
	at       string // "users[7]"
	problems Problems
}

// count returns the number of people in the file.
func (d *Document) count() int { return max(len(d.people), len(d.Users)) }

// person decodes one of the file's people.
func (d *Document) person(i int) *person {
	p := &person{places: d.places, at: fmt.Sprintf("users[%d]", i)}
	if d.people == nil {
		p.User = d.Users[i]
		return p
	}

	decoder := &decoder{places: places{file: d.file, lines: map[string]int{}}, before: d.people[i].line - 1}
	d.decodeItem(d.people[i], p.at, decoder, reflect.ValueOf(&p.User).Elem())
	p.places, p.problems = decoder.places, decoder.problems
	return p
}

// parseYAML parses YAML and turns a panic into an error, because the library has panicked
// on text that isn't YAML. It accepts duplicate keys, which the decoder reports, because
// the decoder continues after the first problem.
func parseYAML(data []byte) (tree *ast.File, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = errors.New("isn't valid YAML")
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

// syntax converts an error of the YAML library to a Problem with its line.
func syntax(name string, before int, err error) Problem {
	p := Problem{File: name, Reason: err.Error()}
	var located yaml.Error
	if errors.As(err, &located) {
		p.Reason = located.GetMessage()
		if token := located.GetToken(); token != nil {
			p.Line = before + token.Position.Line
		}
	}

	if p.Line == 0 && before > 0 {
		p.Line = before + 1
	}

	p.Reason = strings.ReplaceAll(p.Reason, "\n", " ")
	return p
}

// problem returns a Problem located at path ("applications[0].type") in the file. If path
// is missing from the file, it is located at the nearest parent.
func (d *places) problem(path, format string, args ...any) Problem {
	p := Problem{File: d.file, Path: path, Reason: fmt.Sprintf(format, args...)}
	for at := path; at != "" && p.Line == 0; at = parent(at) {
		p.Line = d.lines[at]
	}
	return p
}

// has reports whether the file itself has a value at path.
func (d *places) has(path string) bool { return d.lines[path] > 0 }

func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}
