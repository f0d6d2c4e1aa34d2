package webui

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Message is a page without a form: a statement, and perhaps a link to go on.
type Message struct {
	Title   string
	Heading string // Title if empty
	Eyebrow string
	Lead    string
	Text    string
	Link    *Link
	// Reference identifies what happened in the log and in the audit trail. It is empty if
	// nothing is wrong.
	Reference string
}

// Link is a message's link, shown as a button. Href is a path of the platform or a registered
// redirect URI; anything else becomes a dead link.
type Link struct{ Href, Label string }

// URL lets the private schemes of native applications through, which html/template would
// refuse.
func (l Link) URL() template.URL {
	ours := strings.HasPrefix(l.Href, "/") && !strings.HasPrefix(l.Href, "//") && !strings.Contains(l.Href, `\`)
	if ours || oauth.ValidateUndottedRedirectURI(l.Href) == nil {
		return template.URL(l.Href) //nolint:gosec // checked above
	}
	return "#"
}

// Message answers with a page that contains only a message.
func (u *UI) Message(w http.ResponseWriter, r *http.Request, status int, m Message, opts PageOptions) {
	view := View{
		Title:   m.Title,
		Heading: m.Heading,
		Eyebrow: m.Eyebrow,
		Lead:    m.Lead,
		Data:    m,
	}

	u.Render(w, r, status, u.notice, view, opts)
}
