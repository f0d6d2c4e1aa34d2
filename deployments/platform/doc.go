// Command platform is the operator's binary: the five services in one process
// (`up`), and everything that is done to a platform from outside (`migrate`,
// `apply`, …). `platform --help` lists it.
package main
