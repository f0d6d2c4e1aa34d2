package manifest

import (
	"strings"

	"golang.org/x/net/idna"

	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// lookAlike warns of a value with a word that mixes letters of several scripts, see
// directory.MixedWord. It only warns, because an operator may have reasons for such a name.
func (c *checker) lookAlike(path, value string) {
	if local, domain, ok := strings.Cut(value, "@"); ok {
		if readable, err := idna.Display.ToUnicode(domain); err == nil {
			value = local + "@" + readable
		}
	}

	word, scripts := directory.MixedWord(value)
	if word == "" || len(c.warnings) >= maxProblems {
		return
	}

	c.warnings = append(c.warnings, c.problem(path, "the word %q mixes %s letters and could be mistaken for another word", word,
		strings.Join(scripts, " and ")).Error())
}
