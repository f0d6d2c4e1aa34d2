// Package setup builds a [clientauth.Authenticator] from a service's configuration. Every
// service that authenticates applications builds it the same way, so that they count failures
// and remember assertions together.
package setup
