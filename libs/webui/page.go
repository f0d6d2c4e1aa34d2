package webui

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
)

// Page is a parsed page: the frame with one template "content" in it.
type Page struct {
	tmpl *template.Template
	name string
}

// Page parses a template file that defines "content" (and further templates of
// its own, if it likes).
func (u *UI) Page(fsys fs.FS, file string) (*Page, error) {
	t, err := u.frame.Clone()
	if err != nil {
		return nil, fmt.Errorf("webui: page %s: %w", file, err)
	}
	if t, err = t.ParseFS(fsys, file); err != nil {
		return nil, fmt.Errorf("webui: page %s: %w", file, err)
	}
	if t.Lookup("content") == nil {
		return nil, fmt.Errorf("webui: page %s does not define \"content\"", file)
	}

	return &Page{tmpl: t, name: file}, nil
}

// View is what every page has.
type View struct {
	Title   string // the document's title and, unless Heading is set, its h1
	Heading string
	Eyebrow string  // a short line above the heading: whose page this is
	Lead    string  // one sentence below the heading
	Problem string  // what went wrong as a whole: an alert above the form
	Invalid []Field // fields with an Error, for the alert that links to them
	Wide    bool    // a wider card, for tables and token listings
	Data    any     // the page's own
}

// PageOptions is what a page needs besides its content.
type PageOptions struct {
	// Texts is the language and its texts; zero takes this package's own in the
	// browser's language.
	Texts Texts
	// LeadsAway says that what follows a form of the page may lead to an application.
	// The page then goes without form-action, which else is 'self'. Browsers hold
	// every redirect that follows a form post against that directive (CSP Level 3,
	// 6.4.2), those of the application's callback too, so no list of ours could be
	// complete.
	LeadsAway bool
	// Theme is the path of a second stylesheet, which holds a tenant's accent (see
	// Accent); empty for none.
	Theme string
	// Script is the plain name of one external script asset; empty for none.
	Script string
}

// Frame is the dot of a page's templates.
type Frame struct {
	View
	Texts
	Stylesheet string
	Theme      string
	Icon       string
	ScriptPath string
}

// H1 is the page's one main heading.
func (f Frame) H1() string {
	if f.Heading != "" {
		return f.Heading
	}
	return f.Title
}

// DocumentTitle begins with "Error" when something must be corrected, for that
// is the first thing a screen reader says.
func (f Frame) DocumentTitle() string {
	title := f.Title + " · " + f.T("frame.brand")
	if f.Problem != "" || len(f.Invalid) > 0 {
		return f.T("frame.error_prefix") + " " + title
	}
	return title
}

// Render writes a page with its security headers: never cached, framed or
// sniffed, no referrer, and a Content-Security-Policy of its own. A template that
// fails is a defect of the build, so it panics into the server's recovery; nothing
// has been written by then.
func (u *UI) Render(w http.ResponseWriter, r *http.Request, status int, page *Page, view View, opts PageOptions) {
	if opts.Texts.texts == nil {
		opts.Texts = u.texts.For(r, "")
	}

	frame := Frame{
		View:       view,
		Texts:      opts.Texts,
		Stylesheet: u.StylesheetPath(),
		Theme:      opts.Theme,
		Icon:       u.paths["icon.svg"],
	}
	if opts.Script != "" {
		frame.ScriptPath = u.paths[opts.Script]
	}

	var body bytes.Buffer
	if err := page.tmpl.ExecuteTemplate(&body, "frame", frame); err != nil {
		panic(fmt.Errorf("webui: render %s: %w", page.name, err))
	}

	h := w.Header()
	SecurityHeaders(h)
	h.Set("Content-Security-Policy", policy(opts))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", opts.Texts.Lang())
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)

	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes())
	}
}

// SecurityHeaders sets what every page answers besides its policy.
func SecurityHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	// The page that opened ours in a window keeps no handle on it, by which it could
	// navigate it while a person types (HTML 7.1.3).
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

func policy(opts PageOptions) string {
	var b strings.Builder
	b.WriteString("default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'")
	if !opts.LeadsAway {
		b.WriteString("; form-action 'self'")
	}
	if opts.Script != "" {
		b.WriteString("; script-src 'self'")
	}
	return b.String()
}
