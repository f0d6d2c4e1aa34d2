// Command openbao is the Vault that tests and a developer's machine use. It is a real
// OpenBao with the transit engine and AppRole and Kubernetes logins, but without the
// key-value store, on plain HTTP at a loopback address. It prints one line of JSON once it
// serves, and stops when its standard input ends, so that it never outlives the process
// that started it.
//
// It isn't for production: its storage is memory or a folder without locks, it prints its
// one unseal key, and it has no TLS. It is a module of its own, outside go.work, to keep
// OpenBao's dependencies out of ours. stubs/ replaces cloud SDKs, which would be most of
// what is compiled. go.sum names modules that no checksum database knows, so change it by
// hand, not with go mod tidy.
package main
