// Package domain holds the rules of the keys service: when a key is made and
// withdrawn, and what the published documents say.
package domain
