// Package formbrowser is a browser for tests that handles links, forms, cookies and
// redirects but runs no scripts. A page that works in it works for people without
// JavaScript.
package formbrowser
