// Package domain holds the rules of the keys service: when keys are created and withdrawn,
// and what the published documents contain.
package domain
