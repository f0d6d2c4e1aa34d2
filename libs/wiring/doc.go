// Package wiring is the kit from which the roots of the five services are wired. It makes the
// parts that several of them have, so that a root is left with what its service alone has.
//
// It holds no rules. Each part comes from a constructor of another package, called with the
// service's name, its dependencies and the sections of its configuration. Only the roots of
// services import it.
package wiring
