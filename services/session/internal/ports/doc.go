// Package ports names what the session service needs from outside. Stores in
// libs satisfy some of the ports directly.
package ports
