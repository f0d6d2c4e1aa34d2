//go:build linux

// Peak runs a command and prints the most memory that it had resident, in KiB, as the last
// line of its standard error. Linux counts the memory of the process that starts another one
// as the new one's, so a test, which is large, can't ask for this itself.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	command := exec.Command(os.Args[1], os.Args[2:]...) //nolint:gosec // the test's own command
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	err := command.Run()

	var usage syscall.Rusage
	if failed := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); failed != nil {
		err = failed
	}
	fmt.Fprintln(os.Stderr, usage.Maxrss)

	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
