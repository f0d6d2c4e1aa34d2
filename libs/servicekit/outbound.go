package servicekit

import "github.com/platform-oauth/platform-oauth/libs/outbound"

// Client returns the guarded client for URLs that an application or a tenant registered.
func (o Outbound) Client(deps Deps) (*outbound.Client, error) {
	return outbound.New(outbound.Options{
		Allow:          o.Allow,
		Resolver:       deps.Resolver,
		RootCAs:        deps.RootCAs,
		TracerProvider: deps.TracerProvider,
	})
}
