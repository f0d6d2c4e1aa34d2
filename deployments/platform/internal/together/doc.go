// Package together runs the five services in one process. It builds each from
// its exported constructor, the one its own binary uses, and mounts their
// handlers by the route table that the ingress is made from: what works here
// works apart.
package together
