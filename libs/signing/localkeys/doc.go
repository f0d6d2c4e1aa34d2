// Package localkeys keeps signing keys in files: unencrypted PKCS#8 PEM of mode
// 0600 in a folder of mode 0700. It is the backend of an installation without
// Vault. Processes on one machine may share the folder: a key that another one
// made is read when it is first needed. A file's name ends in .new until the schedule
// has its key. It is not for several machines, and it knows nothing of which key
// signs when.
package localkeys
