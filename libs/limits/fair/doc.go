// Package fair shares a small number of slots between callers that do not trust each other.
//
// Callers form a tree: a provider's network, the customers' networks in it, the links of a customer. At every node the
// children take turns, so that a network gets as much of a scarce resource as its neighbour, however many requests each
// of them sends. The queue is bounded. When it is full, the caller that has the most requests in it loses its newest
// one to a caller that has fewer.
package fair
