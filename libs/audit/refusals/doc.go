// Package refusals records in the audit trail the error pages that people are shown, and other
// events that any stranger can cause, so that an operator can look up what happened by the
// reference on the page. It limits how many it records, so that they can't flood the trail.
package refusals
