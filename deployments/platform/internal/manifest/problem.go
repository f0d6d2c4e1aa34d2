package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with the file.
type Problem struct {
	File   string
	Line   int // 0 when unknown
	Path   string
	Reason string

	spoils string // path of the piece that couldn't be parsed because of it
}

func (p Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	if p.Path == "" {
		return where + ": " + p.Reason
	}
	return where + ": " + p.Path + ": " + p.Reason
}

// Problems holds everything that is wrong with the file, ordered by line.
type Problems []Problem

// Error returns a line for each problem.
func (p Problems) Error() string {
	head := fmt.Sprintf("nothing was applied because of %d problems:", len(p))
	if len(p) == 1 {
		head = "nothing was applied because of 1 problem:"
	}
	return head + p.list()
}

// list returns a line for each problem, up to maxProblems.
func (p Problems) list() string {
	var b strings.Builder
	for _, problem := range p[:min(len(p), maxProblems)] {
		b.WriteString("\n  " + problem.Error())
	}
	if more := len(p) - maxProblems; more > 0 {
		fmt.Fprintf(&b, "\n  and %d more", more)
	}
	return b.String()
}

// err returns the problems as an error, or nil if there are none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}

	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path))
	})
	return p
}
