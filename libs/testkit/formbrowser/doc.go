// Package formbrowser is a browser for tests that knows links, forms, cookies
// and redirects, and runs no script: what it can do, everybody can.
package formbrowser
