// Package apt installs the programs that tests start, on machines where the tests may.
// It imports the standard library only, so that each module of test helpers can use it.
//
// Only tests import it.
package apt
