package webui

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
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
	// FormAction lists CSP sources besides 'self' that a form may lead to, by
	// redirects too: FormActionSource of the flow's redirect URI.
	FormAction []string
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
	frame := Frame{View: view, Texts: opts.Texts, Stylesheet: u.StylesheetPath(), Theme: opts.Theme, Icon: u.paths["icon.svg"]}
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
}

func policy(opts PageOptions) string {
	var b strings.Builder
	b.WriteString("default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'")
	for _, source := range opts.FormAction {
		if validSource(source) {
			b.WriteString(" " + source)
		}
	}
	b.WriteString("; frame-ancestors 'none'; base-uri 'none'")
	if opts.Script != "" {
		b.WriteString("; script-src 'self'")
	}
	return b.String()
}

// FormActionSource is the CSP source that lets a form's last redirect through to
// a redirect URI: its origin; its scheme for a private-use scheme and for IPv6
// loopback literals, which CSP's grammar cannot express (CSP Level 3 2.3.1).
// Empty when the URI has no usable one. Browsers check form-action for every
// redirect that follows a form post, so it is needed on each page of a flow.
func FormActionSource(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme == "" {
		return ""
	}
	source := u.Scheme + ":"
	if (u.Scheme == "https" || u.Scheme == "http") && !strings.Contains(u.Host, "[") {
		source = u.Scheme + "://" + u.Host
	}
	if !validSource(source) {
		return ""
	}
	return source
}

// validSource keeps everything out that could end the source or the directive.
func validSource(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("+-._~:/", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
