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

// Page is a parsed page: the frame with one template "content".
type Page struct {
	tmpl *template.Template
	name string
}

// Page parses a template file that defines "content" and perhaps further templates of its own.
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

// View holds what every page has.
type View struct {
	Title   string // the document's title and, unless Heading is set, its h1
	Heading string
	Eyebrow string  // a short line above the heading, saying whose page this is
	Lead    string  // one sentence below the heading
	Problem string  // an error that concerns the form as a whole: an alert above it
	Invalid []Field // fields with an Error, for the alert that links to them
	Wide    bool    // a wider card, for tables and token listings
	Data    any     // the page's own data
}

// PageOptions holds what a page needs besides its content.
type PageOptions struct {
	// Texts has the language and its texts. The zero value stands for this package's own texts
	// in the browser's language.
	Texts Texts
	// LeadsAway says that submitting a form of the page may lead to an application. The page
	// then omits form-action, which is otherwise 'self'. Browsers check every redirect after a
	// form post against that directive (CSP Level 3, 6.4.2), including those of the
	// application's callback, so no list could be complete.
	LeadsAway bool
	// Theme is the path of a second stylesheet, with a tenant's accent (see Accent); empty for
	// none.
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

// H1 returns the page's one main heading.
func (f Frame) H1() string {
	if f.Heading != "" {
		return f.Heading
	}
	return f.Title
}

// DocumentTitle returns a title that begins with "Error" if something must be corrected,
// because the title is the first thing a screen reader says.
func (f Frame) DocumentTitle() string {
	title := f.Title + " · " + f.T("frame.brand")
	if f.Problem != "" || len(f.Invalid) > 0 {
		return f.T("frame.error_prefix") + " " + title
	}
	return title
}

// Render writes a page with its security headers: never cached, framed or sniffed, no referrer,
// and its own Content-Security-Policy. A template that fails is a defect of the build, so
// Render panics into the server's recovery; nothing has been written by then.
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

// SecurityHeaders sets the security headers of every page, except for its policy.
func SecurityHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	// A page that opened this one in a window gets no handle on it, with which it could
	// navigate the window while a person types (HTML 7.1.3).
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
