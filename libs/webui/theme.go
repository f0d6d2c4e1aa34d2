package webui

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// surfaces are the backgrounds of the accent, as in platform.css, by scheme: the card, the
// page, and the fill of badges and hovered rows.
var surfaces = map[string][]string{
	"light": {"#ffffff", "#f4f5f8", "#f0f3fd", "#eef0f5"},
	"dark":  {"#171a20", "#0e1014", "#192036", "#242933"},
}

// minContrast is the contrast that text needs (WCAG 2.2, 1.4.3, level AA).
const minContrast = 4.5

// ValidColor reports whether a colour has the form "#rrggbb", in lower case.
func ValidColor(color string) bool {
	return len(color) == 7 && color[0] == '#' && strings.Trim(color[1:], "0123456789abcdef") == ""
}

// Accent returns a stylesheet that accents pages with a tenant's colour, in each of the schemes
// light and dark where text in that colour stays readable. It is empty if that is neither of
// them, or if color isn't a colour. Of the input, only the six hexadecimal digits get into the
// stylesheet.
func Accent(color string) string {
	if !ValidColor(color) {
		return ""
	}

	var css strings.Builder
	for _, scheme := range []string{"light", "dark"} {
		if !readable(color, surfaces[scheme]) {
			continue
		}

		on := "#ffffff"
		if contrast(color, on) < minContrast {
			on = "#0d1117"
		}

		if contrast(color, on) < minContrast {
			continue
		}

		fmt.Fprintf(&css,
			"@media (prefers-color-scheme: %s) {\n  :root {\n    --accent: %[2]s;\n    --accent-strong: %[2]s;\n    --ring: %[2]s;\n    --on-accent: %[3]s;\n  }\n}\n",
			scheme, color, on)
	}

	return css.String()
}

func readable(color string, on []string) bool {
	for _, surface := range on {
		if contrast(color, surface) < minContrast {
			return false
		}
	}
	return true
}

// contrast returns the contrast ratio of WCAG 2.2, between 1 and 21.
func contrast(a, b string) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(color string) float64 {
	part := func(at int) float64 {
		n, _ := strconv.ParseUint(color[at:at+2], 16, 8) // checked by ValidColor
		c := float64(n) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}

	return 0.2126*part(1) + 0.7152*part(3) + 0.0722*part(5)
}
