// Command platform is the operator's binary. It runs the five services in one process
// (`up`) and has the commands that administer a platform from outside (`migrate`, `apply`,
// …). `platform --help` lists them.
package main
