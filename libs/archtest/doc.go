// Package archtest enforces the dependency rules of the architecture: which ring
// of a service may import what, which folder may know gin or SQLite, and that
// nothing points outwards. Each module calls Check from a test in its root:
//
//	func TestArchitecture(t *testing.T) { archtest.Check(t) }
//
// It reads imports only, of non-test files only; it compiles nothing. A service
// with commands is also asked with "go list -deps" what it links.
//
// In the libs module the rules themselves are checked as well: a banned library
// that nobody uses any more, or a folder that has moved, fails, so that no rule
// goes on guarding a name that does not exist.
package archtest
