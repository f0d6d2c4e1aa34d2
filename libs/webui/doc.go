// Package webui provides the look and the wording that the session, authorize and device pages
// share: the page frame, one stylesheet, a handful of components, a message catalogue and the
// error page. Pages need no script and contain no inline style or script, so each can carry a
// strict Content-Security-Policy. The package knows nothing about flows; services bring their
// own templates and texts:
//
//	ui, err := webui.New()
//	texts, err := ui.Catalogue(messagesFS)        // en.json and de.json
//	page, err := ui.Page(templatesFS, "email.html") // defines "content"
//	ui.Render(w, r, http.StatusOK, page, webui.View{Title: …, Data: …}, webui.PageOptions{Texts: texts.For(r, "")})
//
// In a page's "content" template the dot is a Frame: .T looks up a text, and .Data is the
// page's own data. Components are the templates "field", "csrf", "notice" and "scopes". Buttons
// are plain elements with the class "button" and either "primary" or "quiet".
package webui
