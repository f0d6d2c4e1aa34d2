// Package refusals writes the error pages that people are shown to the audit
// trail, so that an operator finds what happened by the reference on the page.
package refusals
