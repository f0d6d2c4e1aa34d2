package servicekit

import (
	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
)

// Edge returns the options of the HTTP edge that all services share: the service's routes from
// the contract, and limits, proxies, logs and telemetry as configured. A service adds its
// Handlers and, if it has them, its CORS and ErrorPage.
func Edge(service string, server config.Server, deps Deps) httpkit.Options {
	return httpkit.Options{
		Service:        service,
		Routes:         api.For(service),
		TrustedProxies: server.TrustedProxies,
		ProxyTraces:    server.ProxyTraces,
		MaxBody:        server.HTTP.MaxBody,
		Deadline:       server.HTTP.RequestDeadline,
		Secure:         server.Secure(),
		Logger:         deps.Logger,
		TracerProvider: deps.TracerProvider,
		MeterProvider:  deps.MeterProvider,
		Random:         deps.Random,
	}
}
