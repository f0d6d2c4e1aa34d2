package webui

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strings"

	"golang.org/x/text/language"
)

// Catalogue holds texts by language. Another language is another file.
type Catalogue struct {
	languages []language.Tag // the first is the fallback
	texts     map[language.Tag]map[string]string
	matcher   language.Matcher
}

// Catalogue returns this package's own texts plus those of more, which holds one JSON object of
// keys and texts per language and must have en.json. A language that lacks a key is an error
// here, rather than a gap on a page.
func (u *UI) Catalogue(more fs.FS) (*Catalogue, error) {
	base, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return nil, fmt.Errorf("webui: %w", err)
	}
	return newCatalogue(base, more)
}

func newCatalogue(layers ...fs.FS) (*Catalogue, error) {
	c := &Catalogue{
		languages: []language.Tag{language.English},
		texts:     map[language.Tag]map[string]string{language.English: {}},
	}
	for _, layer := range layers {
		files, err := fs.Glob(layer, "*.json")
		if err != nil {
			return nil, fmt.Errorf("webui: %w", err)
		}

		for _, file := range files {
			if err := c.load(layer, file); err != nil {
				return nil, err
			}
		}
	}

	for _, tag := range c.languages {
		for key := range c.texts[language.English] {
			if _, ok := c.texts[tag][key]; !ok {
				return nil, fmt.Errorf("webui: the texts in %v lack %q", tag, key)
			}
		}
	}

	c.matcher = language.NewMatcher(c.languages)
	return c, nil
}

func (c *Catalogue) load(layer fs.FS, file string) error {
	tag, err := language.Parse(strings.TrimSuffix(path.Base(file), ".json"))
	if err != nil {
		return fmt.Errorf("webui: %s is not named after a language: %w", file, err)
	}

	data, err := fs.ReadFile(layer, file)
	if err != nil {
		return fmt.Errorf("webui: %w", err)
	}

	var texts map[string]string
	if err := json.Unmarshal(data, &texts); err != nil {
		return fmt.Errorf("webui: texts in %s: %w", file, err)
	}

	if c.texts[tag] == nil {
		c.texts[tag] = map[string]string{}
		c.languages = append(c.languages, tag)
	}

	maps.Copy(c.texts[tag], texts)
	return nil
}

// For chooses the language: first by the request's ui_locales (OpenID Connect Core 3.1.2.1; may
// be empty), then by the browser's preference.
func (c *Catalogue) For(r *http.Request, uiLocales string) Texts {
	wanted := make([]language.Tag, 0, 4)
	for field := range strings.FieldsSeq(uiLocales) {
		if tag, err := language.Parse(field); err == nil && len(wanted) < 8 {
			wanted = append(wanted, tag)
		}
	}

	if accept := r.Header.Get("Accept-Language"); accept != "" && len(accept) <= 256 {
		if tags, _, err := language.ParseAcceptLanguage(accept); err == nil {
			wanted = append(wanted, tags...)
		}
	}

	_, i, _ := c.matcher.Match(wanted...)
	tag := c.languages[i]
	return Texts{lang: tag.String(), texts: c.texts[tag]}
}

// Texts is the catalogue in one language.
type Texts struct {
	lang  string
	texts map[string]string
}

// Lang returns the language's BCP 47 tag, for the lang attribute.
func (t Texts) Lang() string { return t.lang }

// Has reports whether a text exists.
func (t Texts) Has(key string) bool {
	_, ok := t.texts[key]
	return ok
}

// T returns the text of a key, formatted with args as by fmt.Sprintf (%[1]s where a language
// needs another order). A missing text shows as its key.
func (t Texts) T(key string, args ...any) string {
	text, ok := t.texts[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// Scopes describes scopes in words, in the order given. A scope without a description is shown
// by its name.
func (t Texts) Scopes(scopes []string) []ScopeLine {
	lines := make([]ScopeLine, 0, len(scopes))
	for _, scope := range scopes {
		line := ScopeLine{Name: scope}
		if key := "scope." + scope; t.Has(key) {
			line.Text = t.T(key)
		}
		lines = append(lines, line)
	}
	return lines
}
