package httpkit

import (
	"net/http"
	"strconv"
	"strings"
)

// WantsHTML reports whether the Accept header prefers text/html over application/json (RFC 9110
// 12.5.1). Browsers prefer it when they navigate. An absent header, */* and equal weights mean
// JSON.
func WantsHTML(r *http.Request) bool {
	accept := r.Header["Accept"]
	if len(accept) == 0 {
		return false
	}

	html := preference{kind: "text", subtype: "html"}
	json := preference{kind: "application", subtype: "json"}
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			kind, subtype, q, ok := parseMediaRange(item)
			if !ok {
				continue
			}
			html.consider(kind, subtype, q)
			json.consider(kind, subtype, q)
		}
	}

	return html.q > json.q
}

// preference finds the weight of one media type. The most specific range that matches it
// decides, whatever the order of the ranges.
type preference struct {
	kind, subtype string
	specificity   int
	q             float64
}

func (p *preference) consider(kind, subtype string, q float64) {
	specificity := 0
	switch {
	case strings.EqualFold(kind, p.kind) && strings.EqualFold(subtype, p.subtype):
		specificity = 3
	case strings.EqualFold(kind, p.kind) && subtype == "*":
		specificity = 2
	case kind == "*" && subtype == "*":
		specificity = 1
	}

	switch {
	case specificity == 0 || specificity < p.specificity:
	case specificity > p.specificity:
		p.specificity, p.q = specificity, q
	default:
		p.q = max(p.q, q) // text/html;level=1 besides text/html
	}
}

// parseMediaRange parses "type/subtype;q=0.8". ok is false for anything but a media range with
// a weight between 0 and 1; such an item is skipped.
func parseMediaRange(item string) (kind, subtype string, q float64, ok bool) {
	mediaRange, params, _ := strings.Cut(item, ";")
	kind, subtype, ok = strings.Cut(strings.TrimSpace(mediaRange), "/")
	if !ok || kind == "" || subtype == "" {
		return "", "", 0, false
	}

	q = 1
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}

		weight, err := strconv.ParseFloat(value, 64)
		if err != nil || !(weight >= 0 && weight <= 1) {
			return "", "", 0, false
		}

		q = weight
	}

	return kind, subtype, q, true
}
