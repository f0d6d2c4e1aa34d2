// Package load puts load on a running platform over HTTP, as applications and people do,
// and reports how fast it answered. The load is closed: each worker sends its next request
// once it has the response to the last, so a slow platform gets fewer requests.
//
// It starts no process and uses no database; it needs only a URL.
package load
