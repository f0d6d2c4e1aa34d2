package domain

import (
	"strings"
	"unicode"
)

// maxUserAgent is the maximum length of a stored User-Agent, in bytes.
const maxUserAgent = 512

// CleanUserAgent returns a User-Agent header (RFC 9110 10.1.5) in the form in which it may
// be stored: printable and of bounded length.
func CleanUserAgent(header string) string {
	if len(header) > maxUserAgent {
		header = header[:maxUserAgent]
	}

	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(header, ""))
}

// Marks of browsers and systems in a User-Agent. Browsers claim to be each other, so the
// more specific marks come first.
var (
	browserMarks = [][2]string{
		{"Edg/", "Edge"},
		{"EdgA/", "Edge"},
		{"EdgiOS/", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Vivaldi/", "Vivaldi"},
		{"FxiOS/", "Firefox"},
		{"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"HeadlessChrome/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
		{"curl/", "curl"},
	}
	systemMarks = [][2]string{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Android", "Android"},
		{"CrOS", "ChromeOS"},
		{"Windows", "Windows"},
		{"Macintosh", "macOS"},
		{"Linux", "Linux"},
	}
)

// DescribeUserAgent returns the names of the browser and the system in a User-Agent, or
// empty strings for unknown ones. They help a person recognise a device but can't be relied
// on.
func DescribeUserAgent(header string) (browser, system string) {
	return firstMark(browserMarks, header), firstMark(systemMarks, header)
}

func firstMark(marks [][2]string, header string) string {
	for _, mark := range marks {
		if strings.Contains(header, mark[0]) {
			return mark[1]
		}
	}
	return ""
}
