// Package app holds the use cases of the session service. It leads a flow through e-mail
// address, password, tenant and consent, keeps the browser's session, and ends it.
//
// Every use case opens the flow first, which checks that it exists, belongs to this
// browser, and has neither expired nor been used. The next step is always derived from the
// rows, so a form that is submitted twice or out of turn changes nothing.
package app
