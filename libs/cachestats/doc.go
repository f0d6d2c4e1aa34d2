// Package cachestats counts what the caches of libs answer, so that an operator
// sees whether they work. Counting is an atomic addition, for the caches stand in
// the way of every request; the figures are read when somebody asks for metrics.
//
// It caches nothing itself.
package cachestats
