package servicekit

import (
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/outbound"
)

// OutboundClient returns the guarded client for URLs that an application or a tenant
// registered.
func OutboundClient(cfg config.Outbound, deps Deps) (*outbound.Client, error) {
	return outbound.New(outbound.Options{
		Allow:          cfg.Allow,
		Resolver:       deps.Resolver,
		RootCAs:        deps.RootCAs,
		TracerProvider: deps.TracerProvider,
	})
}
