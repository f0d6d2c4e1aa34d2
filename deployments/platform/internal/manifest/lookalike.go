package manifest

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// lookAlike warns of a value with a word that mixes letters of several scripts, such as a
// Cyrillic "а" among Latin letters, which people take for another word. The rule is the
// "highly restrictive" level of Unicode Technical Standard 39 5.2, applied to each word. It
// only warns, because an operator may have reasons for such a name.
func (c *checker) lookAlike(path, value string) {
	if local, domain, ok := strings.Cut(value, "@"); ok {
		if readable, err := idna.Display.ToUnicode(domain); err == nil {
			value = local + "@" + readable
		}
	}

	words := strings.FieldsFunc(value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
	for _, word := range words {
		if scripts := scriptsOf(word); len(scripts) > 1 && !together(scripts) {
			p := c.problem(path, "the word %q mixes %s letters and could be mistaken for another word", word,
				strings.Join(scripts, " and "))
			if len(c.warnings) < maxProblems {
				c.warnings = append(c.warnings, p.Error())
			}
			return
		}
	}
}

// scriptsOf returns the names of the scripts of a word's letters, sorted.
func scriptsOf(word string) []string {
	found := map[string]bool{}
	for _, r := range word {
		if r <= unicode.MaxASCII {
			found["Latin"] = true
			continue
		}

		for name, table := range unicode.Scripts {
			if name != "Common" && name != "Inherited" && unicode.Is(table, r) {
				found[name] = true
			}
		}
	}

	return slices.Sorted(maps.Keys(found))
}

// writings lists scripts that are written together, including with Latin letters.
var writings = [][]string{
	{"Han", "Hiragana", "Katakana", "Latin"},
	{"Bopomofo", "Han", "Latin"},
	{"Han", "Hangul", "Latin"},
}

func together(scripts []string) bool {
	return slices.ContainsFunc(writings, func(w []string) bool {
		return !slices.ContainsFunc(scripts, func(s string) bool { return !slices.Contains(w, s) })
	})
}
