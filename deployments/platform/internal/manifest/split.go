package manifest

import (
	"bytes"
	"encoding/json"
	"regexp"
)

// piece is a part of the file's text that can be parsed on its own.
type piece struct {
	start, end int // offsets, in bytes
	line       int // the line on which it begins, from 1
	json       bool
}

// section is a key at the top level of the file with its value. items holds the items of a
// list; it is nil if the value must be parsed in one piece.
type section struct {
	piece
	key   string
	items []piece
}

// split takes a file apart into its sections and their items without building a tree, so
// that a long list needs little memory. It only recognises the usual ways to write lists,
// block style and JSON, and returns false for any other. If it cuts a text in a wrong
// place, such as within quotes, the pieces can't be parsed, so the file is rejected and not
// misread.
func split(data []byte) ([]section, bool) {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		return splitJSON(data)
	}
	return splitBlocks(data)
}

var (
	sectionKey = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)[ ]*:(?:[ \t\r]|$)`)
	emptyValue = regexp.MustCompile(`^[ \t]*(?:#.*)?\r?$`)
)

// splitBlocks finds sections by the keys at the beginning of a line, and items by the
// dashes at the same indentation as the first dash of their list.
func splitBlocks(data []byte) (sections []section, ok bool) {
	var current *section
	list := unknown
	for start, number := 0, 1; start < len(data); number++ {
		end := len(data)
		if i := bytes.IndexByte(data[start:], '\n'); i >= 0 {
			end = start + i + 1
		}

		line := bytes.TrimRight(data[start:end], "\r\n")
		indent := len(line) - len(bytes.TrimLeft(line, " "))
		rest := line[indent:]

		switch {
		case len(bytes.TrimSpace(line)) == 0, rest[0] == '#':
			// The line belongs to the value that it is in.
		case indent == 0 && !dash(rest):
			if current == nil && string(bytes.TrimRight(line, " \t")) == "---" {
				break
			}

			key := sectionKey.FindSubmatch(line)
			if key == nil {
				return nil, false
			}

			sections = append(sections, section{key: string(key[1]), piece: piece{start: start, line: number}})
			current, list = &sections[len(sections)-1], unknown
			if !emptyValue.Match(line[len(key[0]):]) {
				list = none
			}
		case current == nil:
			return nil, false
		case list == none:
		case list == unknown && dash(rest):
			list = indent
			current.items = append(current.items, piece{start: start, line: number})
		case list == unknown:
			list = none
		case indent == list && dash(rest):
			current.items = append(current.items, piece{start: start, line: number})
		case indent <= list:
			current.items, list = nil, none // parsed in one piece, which reports what is wrong
		}

		if current != nil {
			current.end = end
			if n := len(current.items); n > 0 {
				current.items[n-1].end = end
			}
		}

		start = end
	}

	return sections, true
}

// Special values for the indentation of a section's list.
const (
	unknown = -1 // the section is still empty
	none    = -2 // the section isn't a list of dashes
)

// dash reports whether a line, without its indentation, begins an item of a list.
func dash(rest []byte) bool {
	return rest[0] == '-' && (len(rest) == 1 || rest[1] == ' ' || rest[1] == '\t')
}

// splitJSON finds sections and items with a JSON decoder.
func splitJSON(data []byte) (sections []section, ok bool) {
	lines := lineCounter{data: data}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if _, err := decoder.Token(); err != nil {
		return nil, false
	}

	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, false
		}

		s := section{key: key.(string)}
		s.line = lines.at(int(decoder.InputOffset()))

		value := skip(data, int(decoder.InputOffset()), ": \t\r\n")
		if bytes.HasPrefix(data[min(value, len(data)):], []byte("null")) {
			if _, err := decoder.Token(); err != nil {
				return nil, false
			}
			continue
		}

		if value >= len(data) || data[value] != '[' {
			return nil, false
		}

		if _, err := decoder.Token(); err != nil {
			return nil, false
		}

		s.items = []piece{}
		for decoder.More() {
			start := skip(data, int(decoder.InputOffset()), ", \t\r\n")
			var item json.RawMessage
			if err := decoder.Decode(&item); err != nil {
				return nil, false
			}

			s.items = append(s.items, piece{
				start: start,
				end:   int(decoder.InputOffset()),
				line:  lines.at(start),
				json:  true,
			})
		}

		if _, err := decoder.Token(); err != nil {
			return nil, false
		}

		sections = append(sections, s)
	}

	if _, err := decoder.Token(); err != nil || skip(data, int(decoder.InputOffset()), " \t\r\n") < len(data) {
		return nil, false
	}

	return sections, true
}

func skip(data []byte, at int, what string) int {
	for at < len(data) && bytes.IndexByte([]byte(what), data[at]) >= 0 {
		at++
	}
	return at
}

// lineCounter returns the lines of ascending offsets.
type lineCounter struct {
	data  []byte
	seen  int
	lines int
}

func (c *lineCounter) at(offset int) int {
	c.lines += bytes.Count(c.data[c.seen:offset], []byte("\n"))
	c.seen = offset
	return c.lines + 1
}
