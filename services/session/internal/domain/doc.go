// Package domain holds the rules of the sign-in pages that need nothing but plain types:
// what an e-mail address is, and which page comes next in a flow.
package domain
