package servicekit

import "github.com/platform-oauth/platform-oauth/libs/outbound"

// Client makes the guarded client of what is fetched because an application or a
// tenant registered it.
func (o Outbound) Client(deps Deps) (*outbound.Client, error) {
	return outbound.New(outbound.Options{
		Allow:          o.Allow,
		Resolver:       deps.Resolver,
		RootCAs:        deps.RootCAs,
		TracerProvider: deps.TracerProvider,
	})
}
