// Package setup puts a [clientauth.Authenticator] together of a service's
// configuration, the same for each service that authenticates applications, so that
// they count failures and remember assertions together.
package setup
