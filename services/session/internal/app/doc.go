// Package app is what the session service does: it leads a flow through e-mail,
// password, tenant and consent, keeps the browser's session, and ends it. Every
// use case opens the flow first: it exists, belongs to this browser, and has
// neither expired nor been used. What comes next is always read from the rows,
// so a form sent twice or out of turn changes nothing.
package app
