package directory

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// MixedWord returns the first word of a text that mixes letters of several scripts, such as a
// Cyrillic "а" among Latin letters, which people take for another word, and the names of the
// scripts. It returns "" if there is none. The rule is the "highly restrictive" level of Unicode
// Technical Standard 39 5.2, applied to each word.
func MixedWord(text string) (word string, scripts []string) {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
	for _, word := range words {
		if scripts := scriptsOf(word); len(scripts) > 1 && !together(scripts) {
			return word, scripts
		}
	}
	return "", nil
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
