// Package app is what the keys service does: keep every algorithm supplied with
// a key (Keeper), publish the documents (Publisher), and both again and again
// (Run).
package app
