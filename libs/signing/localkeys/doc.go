// Package localkeys keeps signing keys in files: unencrypted PKCS#8 PEM, mode 0600, in a folder
// of mode 0700. It is the backend for an installation without Vault. Processes on one machine
// may share the folder; a key that another process created is read when it is first needed. A
// file's name ends in .new until the schedule contains its key. The package isn't meant for
// more than one machine, and it doesn't know which key signs when.
package localkeys
