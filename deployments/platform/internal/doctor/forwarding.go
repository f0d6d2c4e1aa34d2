package doctor

import (
	"bytes"
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// forged is an address that no host has (RFC 5737).
const forged = "192.0.2.66"

// pages lists paths of the services that show error pages and record them in the audit
// trail with the visitor's address.
var pages = map[string]string{
	"authorize": oauth.IssuerPath + "/authorize",
	"device":    oauth.DevicePath,
	"session":   oauth.AccountPath,
}

// forwarding requests error pages and reads from the trail which address the services took
// us to have. A service that doesn't trust the proxy in front of it takes every visitor for
// that proxy, so that its limits block all visitors at once. One that trusts too many peers
// lets visitors choose their address, so that its limits block no one.
func (e *examination) forwarding(ctx context.Context, v *visitor) {
	if e.db == nil {
		e.warn("forwarded", "give doctor a database login with the role platform_operator",
			"not checked: finding out whether services trust their proxy needs the audit trail")
		return
	}

	for _, service := range []string{"authorize", "device", "session"} {
		plain, err := e.seen(ctx, v, service, "")
		if err != nil {
			e.warn("forwarded", "give doctor a database login with the role platform_operator",
				"not checked whether %s trusts its proxy: %v", service, err)
			return // it will be the same for the other services
		}

		if plain == nil {
			e.warn("forwarded", "check the log of "+service,
				"%s recorded no error page in the audit trail, so it isn't known whether it trusts its proxy",
				service)
			continue
		}

		if plain.Detail["forwarded"] == audit.ForwardedIgnored {
			e.fail("forwarded", "set PLATFORM_TRUSTED_PROXIES of "+service+" to the addresses of its proxies",
				"the proxy at %s sends X-Forwarded-For, but %s doesn't trust it: all clients count as one address", plain.Address, service)
			continue
		}

		claimed, err := e.seen(ctx, v, service, forged)
		if err == nil && claimed != nil && claimed.Address == forged && !e.trusted(plain.Address) {
			e.warn("forwarded",
				"set PLATFORM_TRUSTED_PROXIES of "+service+
					" to its proxies only, and have the outermost proxy replace X-Forwarded-For",
				"%s trusts X-Forwarded-For from %s; that is right only if this address is one of its proxies", service, plain.Address)
			continue
		}

		e.ok("forwarded", "%s sees this request's address as %s", service, plain.Address)
	}
}

// trusted reports whether this environment lists the address as a trusted proxy, in which
// case its word isn't a fault.
func (e *examination) trusted(address string) bool {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}

	for _, p := range e.Server.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}

	return false
}

// seen requests an error page and returns the audit row that the service wrote for it,
// found by the reference on the page. It returns nil if there is none.
func (e *examination) seen(ctx context.Context, v *visitor, service, forwardedFor string) (*audit.Record, error) {
	header := accept("text/html")
	if forwardedFor != "" {
		header.Set("X-Forwarded-For", forwardedFor)
	}

	// The services' clocks may differ from ours by as much as the doctor reports as a
	// failure.
	since := e.Deps.Now().Add(-skewFailed - time.Minute)
	a, err := v.ask(ctx, http.MethodDelete, pages[service], header)
	if err != nil {
		return nil, err
	}

	records, err := sqlstore.Read(ctx, e.db, audit.Filter{Since: since, Limit: 1000})
	if err != nil {
		return nil, err
	}

	for _, r := range records {
		if r.Service == service && r.Reference != "" && bytes.Contains(a.body, []byte(r.Reference)) {
			return &r, nil
		}
	}

	return nil, nil
}
