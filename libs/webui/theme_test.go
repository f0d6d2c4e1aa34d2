package webui

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAnAccentIsShownOnlyWhereItCanBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		color       string
		light, dark bool
	}{
		"a dark violet on light pages": {"#7a1fa2", true, false},
		"a pale blue on dark pages":    {"#9db2ff", false, true},
		"a grey in between on neither": {"#808080", false, false},
		"white on dark pages":          {"#ffffff", false, true},
		"black on light pages":         {"#000000", true, false},
		"no colour":                    {"", false, false},
		"a name":                       {"red", false, false},
		"three digits":                 {"#fff", false, false},
		"capitals":                     {"#7A1FA2", false, false},
		"an attempt at more":           {"#7a1fa2;}", false, false},
		"another attempt":              {"#}*{x:y", false, false},
	} {
		css := Accent(c.color)
		require.Equal(t, c.light, regexp.MustCompile(`scheme: light`).MatchString(css), name)
		require.Equal(t, c.dark, regexp.MustCompile(`scheme: dark`).MatchString(css), name)
	}
}

func TestSurfacesAreThoseOfTheStylesheet(t *testing.T) {
	css, err := os.ReadFile("assets/platform.css")
	require.NoError(t, err)
	for i, name := range []string{"card", "page", "info-soft", "quiet"} {
		values := regexp.MustCompile(`--`+name+`: (#[0-9a-f]{6});`).FindAllStringSubmatch(string(css), -1)
		require.Len(t, values, 2, name)
		require.Equal(t, values[0][1], surfaces["light"][i], name)
		require.Equal(t, values[1][1], surfaces["dark"][i], name)
	}
}

func FuzzAccent(f *testing.F) {
	for _, seed := range []string{"#7a1fa2", "", "#ffffff", "#fffff", "red", "#}body{x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, color string) {
		require.Regexp(t,
			`^(@media \(prefers-color-scheme: (light|dark)\) \{\n  :root \{\n(    --[a-z-]+: #[0-9a-f]{6};\n){4}  \}\n\}\n){0,2}$`, Accent(
				color))
	})
}

func TestTimesAreSaidInWords(t *testing.T) {
	ui, err := New()
	require.NoError(t, err)
	en := Texts{texts: ui.texts.texts[ui.texts.languages[0]]}
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for since, want := range map[time.Duration]string{
		-time.Hour:        "just now",
		0:                 "just now",
		59 * time.Second:  "just now",
		time.Minute:       "1 minute ago",
		119 * time.Second: "1 minute ago",
		2 * time.Minute:   "2 minutes ago",
		59 * time.Minute:  "59 minutes ago",
		time.Hour:         "1 hour ago",
		23 * time.Hour:    "23 hours ago",
		24 * time.Hour:    "1 day ago",
		700 * time.Hour:   "29 days ago",
	} {
		require.Equal(t, want, en.Ago(now.Add(-since), now), since)
	}

	for wait, want := range map[time.Duration]string{
		0:                       "in 1 second",
		time.Millisecond:        "in 1 second",
		1500 * time.Millisecond: "in 2 seconds",
		time.Minute:             "in 1 minute",
		61 * time.Second:        "in 2 minutes",
		15 * time.Minute:        "in 15 minutes",
	} {
		require.Equal(t, want, en.In(wait), wait)
	}
}
