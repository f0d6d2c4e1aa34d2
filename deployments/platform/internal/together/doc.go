// Package together runs the five services in one process. It builds each service with the
// exported constructor that the service's own binary uses, and mounts the handlers by the
// route table from which the ingress is made. What works here therefore works with separate
// services.
package together
