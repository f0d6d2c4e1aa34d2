// Package docker holds the Dockerfile of the six images and, under the build tag
// images, the tests of what it builds: that the images are small, have no more
// rights than they need, hold the same bytes as `make build`, and that their
// containers end as an orchestrator expects. `make images-check` builds them and
// runs the tests.
package docker
