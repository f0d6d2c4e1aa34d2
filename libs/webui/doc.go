// Package webui is the look and the words that the session, authorize and
// device pages share: the page frame, one stylesheet, a handful of components, a
// message catalogue and the error page. Pages need no script and hold no inline
// style or script, so each carries a strict Content-Security-Policy. The package
// knows nothing about flows; services bring their own templates and texts:
//
//	ui, err := webui.New()
//	texts, err := ui.Catalogue(messagesFS)        // en.json and de.json
//	page, err := ui.Page(templatesFS, "email.html") // defines "content"
//	ui.Render(w, r, http.StatusOK, page, webui.View{Title: …, Data: …}, webui.PageOptions{Texts: texts.For(r, "")})
//
// In a page's "content" the dot is a Frame: .T looks a text up, .Data is the
// page's own. Components are the templates "field", "csrf", "notice" and
// "scopes"; buttons are plain elements with the class "button" and one of
// "primary" and "quiet".
package webui
