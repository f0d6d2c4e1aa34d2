// Package archtest enforces the dependency rules of the architecture: which ring of a service
// may import what, which folders may use gin or SQLite, and that no import points outwards.
// Each module calls Check from a test in its root:
//
//	func TestArchitecture(t *testing.T) { archtest.Check(t) }
//
// It also finds what must be said in one place only, such as the list of grant types, and is said
// again elsewhere.
//
// It parses non-test files and compiles nothing. For a service with commands, it also asks "go
// list -deps" what they link.
//
// In the libs module the rules themselves are checked too: a banned library that isn't used
// anywhere any more, or a folder that has moved, is a failure, so that no rule goes on guarding
// a name that doesn't exist.
package archtest
