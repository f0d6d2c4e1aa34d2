// Command openbao is the Vault that tests and a developer's machine use: a real
// OpenBao with the transit engine, AppRole and Kubernetes logins, its key-value
// store left out, on plain HTTP at a loopback address. It prints one line of JSON
// once it serves, and stops when its standard input ends, so that it never
// outlives who started it.
//
// It is not for production: storage is memory or a folder without locks, its
// one unseal key is printed, and there is no TLS. It is a module of its own,
// outside go.work, because OpenBao's dependencies are none of ours; stubs/ takes
// the place of cloud SDKs, which would be most of what is compiled. go.sum names
// modules that no checksum database knows: change it by hand, not by go mod tidy.
package main
