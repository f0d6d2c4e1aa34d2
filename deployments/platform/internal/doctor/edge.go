package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
)

const (
	jwksPath      = oauth.PlatformPath + "/.well-known/jwks.json"
	discoveryPath = oauth.IssuerPath + "/.well-known/openid-configuration"
	metadataPath  = "/.well-known/oauth-authorization-server" + oauth.IssuerPath // RFC 8414 3.1

	maxAnswer = 1 << 20
	// certificateLeft is how long before a certificate expires the doctor warns of it.
	certificateLeft = 14 * 24 * time.Hour
)

// edge checks the platform as browsers and applications see it.
func (e *examination) edge(ctx context.Context) {
	client := &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	v := &visitor{client: client, origin: e.Server.Origin()}
	if !e.issuer(ctx, v) {
		return
	}

	e.jwks(ctx, v)
	e.routes(ctx, v)
	e.forwarding(ctx, v)
}

// visitor sends requests to the public URL.
type visitor struct {
	client *http.Client
	origin string
}

type answer struct {
	*http.Response
	body []byte
}

func (v *visitor) ask(ctx context.Context, method, path string, header http.Header) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, v.origin+path, http.NoBody)
	if err != nil {
		return answer{}, err
	}

	r.Header = header
	r.Header.Set("User-Agent", "platform-doctor/"+servicekit.Version())
	response, err := v.client.Do(r)
	if err != nil {
		return answer{}, err
	}

	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return answer{response, body}, err
}

func accept(media string) http.Header { return http.Header{"Accept": {media}} }

// issuer reads both metadata documents. They must name the issuer of this configuration,
// because applications compare it with the URL that they were given.
func (e *examination) issuer(ctx context.Context, v *visitor) bool {
	const url = "check PLATFORM_PUBLIC_URL, the DNS name, the certificate and the ingress"
	sound := true
	for _, path := range []string{discoveryPath, metadataPath} {
		a, err := v.ask(ctx, http.MethodGet, path, accept("application/json"))
		if err != nil {
			e.fail("issuer", url, "%s does not answer: %v", v.origin, err)
			return false
		}

		var document struct {
			Issuer string `json:"issuer"`
		}
		switch err := json.Unmarshal(a.body, &document); {
		case a.StatusCode != http.StatusOK || err != nil:
			e.fail("issuer", "route "+path+" to keys at the ingress, and check that keys is running",
				"%s returns status %d instead of metadata", path, a.StatusCode)
			sound = false
		case document.Issuer != e.Server.Issuer():
			e.fail("issuer", "set PLATFORM_PUBLIC_URL of every service to the origin that browsers see",
				"%s names the issuer %s, but this configuration says %s", path, document.Issuer, e.Server.Issuer())
			sound = false
		}

		if path == discoveryPath {
			e.certificate(a)
		}
	}

	if sound {
		e.ok("issuer", "%s returns metadata for the issuer in this configuration", e.Server.Issuer())
	}

	return true
}

func (e *examination) certificate(a answer) {
	if a.TLS == nil || len(a.TLS.PeerCertificates) == 0 {
		return
	}

	ends := a.TLS.PeerCertificates[0].NotAfter
	if left := ends.Sub(e.Deps.Now()); left < certificateLeft {
		e.warn("certificate", "renew it", "the certificate of %s expires in %d hours",
			a.Request.URL.Host, int(left.Hours()))
		return
	}

	e.ok("certificate", "the certificate of %s is valid until %s", a.Request.URL.Host, ends.Format(time.DateOnly))
}

// jwks checks that the JWKS has every key that the schedule publishes.
func (e *examination) jwks(ctx context.Context, v *visitor) {
	a, err := v.ask(ctx, http.MethodGet, jwksPath, accept("application/json"))
	var set struct {
		Keys []struct {
			KID string `json:"kid"`
		} `json:"keys"`
	}

	if err == nil && a.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", a.StatusCode)
	}
	if err == nil {
		err = json.Unmarshal(a.body, &set)
	}

	if err != nil || len(set.Keys) == 0 {
		e.fail("jwks", "check that keys is running and can create keys", "%s has no keys: %v", jwksPath, err)
		return
	}

	served := map[string]bool{}
	for _, k := range set.Keys {
		served[k.KID] = true
	}

	// Replicas reread the schedule periodically.
	settled := e.Deps.Now().Add(-2 * e.Signing.Refresh())
	for _, k := range e.schedule {
		if k.Published(settled) && k.Published(e.Deps.Now()) && !served[k.KID] {
			e.fail("jwks", "check the log of keys, and for a cache in front of it",
				"key %s (%s) is in the schedule but not in %s", k.KID, k.Algorithm, jwksPath)
			return
		}
	}

	e.ok("jwks", "%d keys are published", len(set.Keys))
}

// routes sends each path a request with a method that it doesn't have. The service that
// owns the path answers 405 with the methods that it has (RFC 9110 15.5.6); any other
// answers 404.
func (e *examination) routes(ctx context.Context, v *visitor) {
	paths, wrong := 0, 0
	for _, path := range servedPaths() {
		paths++
		owner, methods := path.service, strings.Join(path.methods, ", ")
		a, err := v.ask(ctx, path.unused(), path.example, accept("application/json"))
		says := ""
		switch {
		case err != nil:
			says = err.Error()
		case a.StatusCode == http.StatusNotFound:
			says = "status 404, so the request reached a server that doesn't know the path"
		case a.StatusCode == http.StatusBadGateway, a.StatusCode == http.StatusServiceUnavailable,
			a.StatusCode == http.StatusGatewayTimeout:
			says = fmt.Sprintf("status %d, as if the ingress can't reach %s", a.StatusCode, owner)
		case a.StatusCode != http.StatusMethodNotAllowed:
			says = fmt.Sprintf("status %d to a method that %s would reject with 405", a.StatusCode, owner)
		case !slices.Equal(methodsOf(a.Header.Get("Allow")), path.methods):
			says = fmt.Sprintf("Allow: %q, but %s would send %q", a.Header.Get("Allow"), owner, methods)
		}

		if says != "" {
			wrong++
			e.fail("route", "route "+path.path+" to "+owner+" at the ingress", "%s returns %s", path.path, says)
		}
	}

	if wrong == 0 {
		e.ok("route", "all %d paths reach the services that own them", paths)
	}
}

type servedPath struct {
	path, example, service string
	methods                []string // sorted
}

// unused returns a method that the path doesn't have and that proxies let through.
func (p servedPath) unused() string {
	for _, method := range []string{http.MethodDelete, http.MethodPut} {
		if !slices.Contains(p.methods, method) {
			return method
		}
	}
	return http.MethodPatch
}

// servedPaths returns the route table by path.
func servedPaths() []servedPath {
	var all []servedPath
	for _, route := range api.Routes {
		i := slices.IndexFunc(all, func(p servedPath) bool { return p.path == route.Path })
		if i < 0 {
			i = len(all)
			all = append(all, servedPath{path: route.Path, example: example(route.Path), service: route.Service})
		}
		all[i].methods = append(all[i].methods, route.Method)
	}

	for i := range all {
		all[i].methods = methodsOf(strings.Join(all[i].methods, ","))
	}

	return all
}

// example fills in a path's parameters.
func example(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "doctor"
		}
	}
	return strings.Join(segments, "/")
}

// methodsOf returns the methods of an Allow header, sorted, without those that are implied
// by others or by CORS.
func methodsOf(allow string) []string {
	var methods []string
	for method := range strings.SplitSeq(allow, ",") {
		if method = strings.TrimSpace(method); method != "" && method != http.MethodHead &&
			method != http.MethodOptions {
			methods = append(methods, method)
		}
	}

	slices.Sort(methods)
	return slices.Compact(methods)
}
