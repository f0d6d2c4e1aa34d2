// Package docker holds the Dockerfile of the six images and, under the build tag images,
// the tests of the result: the images are small, have no more rights than they need,
// contain the same bytes as `make build`, and their containers stop as an orchestrator
// expects. `make images-check` builds the images and runs the tests.
package docker
