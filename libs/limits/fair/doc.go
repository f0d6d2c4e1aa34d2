// Package fair shares a small number of slots between callers that do not trust each other.
//
// Callers form a tree: a provider's network, its customers' networks, each customer's links. At
// every node the children take turns, so a network gets as much of a scarce resource as its
// neighbour, however many requests each sends. The queue is bounded. When it is full, the
// caller with the most requests in it loses its newest one to a caller with fewer.
package fair
