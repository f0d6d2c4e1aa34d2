// Package refusals writes the error pages that people are shown, and what else a
// stranger can cause, to the audit trail, so that an operator finds what happened
// by the reference on the page; but never so much of it that the trail is flooded.
package refusals
