package manifest

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// decoder fills values from the syntax tree of a piece of the file, by their yaml tags. It
// is stricter than the YAML library: it guesses no types (a password 0123 isn't the number
// 83), continues after a problem, and doesn't read anchors, which would give a value two
// places. It never repeats a value in a message, because the value may be a secret.
type decoder struct {
	places
	before   int // lines of the file before the piece
	problems Problems
}

// line returns the line of the file on which a node begins.
func (d *decoder) line(node ast.Node) int {
	if n := line(node); n > 0 {
		return d.before + n
	}
	return 0
}

// wrong records that the node at path can't be used.
func (d *decoder) wrong(path string, node ast.Node, format string, args ...any) {
	d.problems = append(d.problems, Problem{
		File:   d.file,
		Line:   d.line(node),
		Path:   path,
		Reason: fmt.Sprintf(format, args...),
	})
}

// into decodes a node into v, whose type the schema determines.
func (d *decoder) into(path string, node ast.Node, v reflect.Value) {
	if v.Type() == reflect.TypeFor[Duration]() {
		d.duration(path, node, v)
		return
	}

	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.into(path, node, v.Elem())
	case reflect.String:
		if s, ok := d.text(path, node); ok {
			v.SetString(s)
		}
	case reflect.Bool:
		if b, ok := node.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
		} else {
			d.wrong(path, node, "must be true or false, not %s", kindOf(node))
		}
	case reflect.Slice:
		d.list(path, node, v)
	case reflect.Struct:
		d.fields(path, node, v)
	case reflect.Map:
		d.mapping(path, node, func(key string, value ast.Node) {
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}

			if free := d.free(path+"."+key, value); free != nil {
				v.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(free))
			} else {
				v.SetMapIndex(reflect.ValueOf(key), reflect.Zero(v.Type().Elem()))
			}
		})
	case reflect.Interface:
		if free := d.free(path, node); free != nil {
			v.Set(reflect.ValueOf(free))
		}
	default:
		d.wrong(path, node, "can't be read: %s has no form in the file", v.Type())
	}
}

func (d *decoder) text(path string, node ast.Node) (string, bool) {
	var s string
	switch node := node.(type) {
	case *ast.StringNode:
		s = node.Value
	case *ast.LiteralNode:
		s = node.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		d.wrong(path, node, "must be a string, not %s: put it in quotes", kindOf(node))
		return "", false
	default:
		d.wrong(path, node, "must be a string, not %s", kindOf(node))
		return "", false
	}

	// PostgreSQL can store neither NUL nor invalid UTF-8.
	if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		d.wrong(path, node, "contains a NUL or an invalid character")
		return "", false
	}

	return s, true
}

func (d *decoder) duration(path string, node ast.Node, v reflect.Value) {
	s, ok := node.(*ast.StringNode)
	if ok {
		if length, err := time.ParseDuration(s.Value); err == nil {
			v.SetInt(int64(length))
			return
		}
	}

	d.wrong(path, node, "must be a duration such as 90s, 15m or 720h")
}

func (d *decoder) list(path string, node ast.Node, v reflect.Value) {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		d.wrong(path, node, "must be a list, not %s", kindOf(node))
		return
	}

	// Empty but not nil, because the file says that there are none.
	v.Set(reflect.MakeSlice(v.Type(), len(sequence.Values), len(sequence.Values)))

	for i, item := range sequence.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.lines[at] = d.line(item)
		d.into(at, item, v.Index(i))
	}
}

// fields decodes a mapping with known keys. A null value counts as absent.
func (d *decoder) fields(path string, node ast.Node, v reflect.Value) {
	known := map[string]int{}
	for i := range v.NumField() {
		known[v.Type().Field(i).Tag.Get("yaml")] = i
	}

	d.mapping(path, node, func(key string, value ast.Node) {
		at := strings.TrimPrefix(path+"."+key, ".")
		i, ok := known[key]
		if !ok {
			d.wrong(at, value, "unknown key")
			return
		}

		if _, nothing := value.(*ast.NullNode); nothing {
			delete(d.lines, at)
			return
		}

		d.into(at, value, v.Field(i))
	})
}

// mapping calls f with each key of a mapping and its value, once per key.
func (d *decoder) mapping(path string, node ast.Node, f func(key string, value ast.Node)) {
	m, ok := node.(ast.MapNode)
	if !ok {
		d.wrong(path, node, "must be a mapping of keys to values, not %s", kindOf(node))
		return
	}

	seen := map[string]int{}
	for entries := m.MapRange(); entries.Next(); {
		key, ok := d.key(path, entries.Key())
		if !ok {
			continue
		}

		at := strings.TrimPrefix(path+"."+key, ".")
		if first, twice := seen[key]; twice {
			d.wrong(at, entries.Key(), "appears twice, first in line %d", first)
			continue
		}

		seen[key] = d.line(entries.Key())
		d.lines[at] = seen[key]
		f(key, entries.Value())
	}
}

func (d *decoder) key(path string, node ast.MapKeyNode) (string, bool) {
	switch node := node.(type) {
	case *ast.StringNode:
		return d.text(path, node)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return node.GetToken().Value, true
	default:
		d.wrong(path, node, "has a key that isn't a string")
		return "", false
	}
}

// free decodes a value without a schema, which are claims. Its results can always be
// encoded as JSON.
func (d *decoder) free(path string, node ast.Node) any {
	switch node := node.(type) {
	case *ast.NullNode:
		return nil
	case *ast.BoolNode:
		return node.Value
	case *ast.IntegerNode:
		return node.Value
	case *ast.FloatNode:
		return node.Value
	case *ast.SequenceNode:
		list := make([]any, len(node.Values))
		for i, item := range node.Values {
			list[i] = d.free(fmt.Sprintf("%s[%d]", path, i), item)
		}
		return list
	case *ast.MappingNode, *ast.MappingValueNode:
		values := map[string]any{}
		d.mapping(path, node, func(key string, value ast.Node) { values[key] = d.free(path+"."+key, value) })
		return values
	case *ast.InfinityNode, *ast.NanNode:
		d.wrong(path, node, "is a number that JSON does not have")
		return nil
	default:
		s, _ := d.text(path, node)
		return s
	}
}

// kindOf returns the kind of a node, for messages.
func kindOf(node ast.Node) string {
	switch node.(type) {
	case *ast.NullNode:
		return "nothing"
	case *ast.StringNode, *ast.LiteralNode:
		return "a string"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "a mapping"
	case *ast.AnchorNode, *ast.AliasNode:
		return "an anchor or alias, which this file cannot have"
	case *ast.TagNode:
		return "a tagged value, which this file cannot have"
	default:
		return "anything else"
	}
}

// line returns the line on which a node begins. A mapping's own token is behind its first
// key.
func line(node ast.Node) int {
	if m, ok := node.(ast.MapNode); ok {
		if entries := m.MapRange(); entries.Next() {
			node = entries.Key()
		}
	}

	if token := node.GetToken(); token != nil && token.Position != nil {
		return token.Position.Line
	}
	return 0
}
