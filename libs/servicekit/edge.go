package servicekit

import (
	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
)

// Edge is what the HTTP edge of every service has in common: its routes of the
// contract, and limits, proxies, logs and telemetry as configured. A service adds
// its Handlers, and where it has them its CORS and its ErrorPage.
func Edge(service string, server Server, deps Deps) httpkit.Options {
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
