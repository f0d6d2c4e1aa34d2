// Package load puts load on a running platform over HTTP, as applications and
// people do, and says how fast it answered. Load is closed: each of a number of
// workers asks again once it has its answer, so a slow platform is asked less.
//
// It starts nothing and knows no database: what it measures is a URL.
package load
