// Package cachestats counts hits and misses of the caches in libs, so that an operator can see
// whether they work. Counting is one atomic addition, because the caches are on the path of
// every request; the figures are read only when metrics are collected.
//
// It caches nothing itself.
package cachestats
