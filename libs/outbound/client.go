package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// Defaults and bounds.
const (
	defaultTimeout = 5 * time.Second
	defaultMaxBody = 256 << 10 // bytes
	maxHeader      = 64 << 10  // bytes
	idleTimeout    = 30 * time.Second
)

// Errors, for errors.Is. Every error of a Client is one of them.
var (
	// ErrRefused reports that the policy doesn't allow the request. A retry doesn't help until
	// the configuration changes.
	ErrRefused = errors.New("outbound: refused by policy")
	// ErrUnreachable reports that there was no response, or not in time.
	ErrUnreachable = errors.New("outbound: unreachable")
	// ErrAnswer reports an unusable response: a redirect, one that is too large or, for Get,
	// one without status 200.
	ErrAnswer = errors.New("outbound: unusable answer")
)

// Options configures a Client; zero values are good.
type Options struct {
	Allow   []string       // exceptions; see ParseAllow
	Timeout time.Duration  // for a whole exchange including the body; 5 s
	MaxBody int64          // maximum size of a response, in bytes; 256 KiB
	RootCAs *x509.CertPool // nil: the system's
	// Resolver looks up names; nil: the system's. Its results are checked on every connection.
	Resolver *net.Resolver
	// TracerProvider creates a span for each exchange; nil: none.
	TracerProvider trace.TracerProvider
}

// Client makes guarded requests. It is safe for concurrent use.
type Client struct {
	allow   Allow
	timeout time.Duration
	maxBody int64
	dialer  net.Dialer
	http    *http.Client
	tracer  trace.Tracer
}

// New returns a Client. The error names the exceptions that can't be parsed.
func New(o Options) (*Client, error) {
	allow, err := ParseAllow(o.Allow)
	if err != nil {
		return nil, fmt.Errorf("outbound: %w", err)
	}

	c := &Client{allow: allow, timeout: o.Timeout, maxBody: o.MaxBody}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}

	if c.maxBody <= 0 {
		c.maxBody = defaultMaxBody
	}

	if o.TracerProvider == nil {
		o.TracerProvider = tracenoop.NewTracerProvider()
	}

	c.tracer = o.TracerProvider.Tracer("github.com/platform-oauth/platform-oauth/libs/outbound")
	c.dialer = net.Dialer{Timeout: c.timeout, Resolver: o.Resolver}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // never HTTPS_PROXY: it would resolve the name where the client can't check it
			DialContext:            c.dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // so that MaxBody bounds the decompressed size too
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        idleTimeout,
		},
		// A 3xx is returned as the response; its target is never requested.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}

	return c, nil
}

// Get fetches a document. The response must have status 200 and at most MaxBody bytes. Errors
// are ErrRefused, ErrUnreachable and ErrAnswer.
func (c *Client) Get(ctx context.Context, rawURL string) (body []byte, header http.Header, err error) {
	err = c.exchange(ctx, http.MethodGet, rawURL, nil, func(response *http.Response) error {
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%w: status %d", ErrAnswer, response.StatusCode)
		}

		header = response.Header
		body, err = io.ReadAll(io.LimitReader(response.Body, c.maxBody+1))
		switch {
		case err != nil:
			return fmt.Errorf("%w: read the body: %w", ErrUnreachable, err)
		case int64(len(body)) > c.maxBody:
			return fmt.Errorf("%w: more than %d bytes", ErrAnswer, c.maxBody)
		}

		return nil
	})
	if err != nil {
		return nil, nil, err
	}

	return body, header, nil
}

// PostForm posts a form and returns the status of the response, ignoring the body. A redirect
// is ErrAnswer; other errors are ErrRefused and ErrUnreachable.
func (c *Client) PostForm(ctx context.Context, rawURL string, form url.Values) (status int, err error) {
	err = c.exchange(ctx, http.MethodPost, rawURL, form, func(response *http.Response) error {
		status = response.StatusCode
		// Read a little, so that the connection can be reused.
		_, _ = io.CopyN(io.Discard, response.Body, c.maxBody)
		return nil
	})

	return status, err
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) exchange(
	ctx context.Context, method, rawURL string, form url.Values, use func(*http.Response) error,
) (err error) {
	u, err := c.target(rawURL)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	ctx, span := c.start(ctx, method, u)
	defer func() { finish(span, err) }()
	request, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("%w: the URL cannot be requested", ErrRefused)
	}

	request.Header.Set("User-Agent", "platform-oauth")
	request.Header.Set("Accept", "application/json, */*;q=0.8")

	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}

	propagate(ctx, request.Header)
	response, err := c.http.Do(request)
	if err != nil {
		return classify(u.Host, err)
	}

	span.SetAttributes(attribute.Int("http.response.status_code", response.StatusCode))
	defer response.Body.Close() //nolint:errcheck // nothing is to be learnt from it

	if 300 <= response.StatusCode && response.StatusCode < 400 {
		return fmt.Errorf("%s: %w: status %d, and redirects are not followed", u.Host, ErrAnswer, response.StatusCode)
	}

	if err := use(response); err != nil {
		return fmt.Errorf("%s: %w", u.Host, err)
	}

	return nil
}

// target checks the part of the policy that a URL alone decides. Its errors repeat at most the
// host, because the rest may hold secrets.
func (c *Client) target(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return nil, fmt.Errorf("%w: not a URL with a host", ErrRefused)
	case u.User != nil:
		return nil, fmt.Errorf("%s: %w: a URL with a user or password", u.Host, ErrRefused)
	case u.Scheme == "https":
		return u, nil
	case u.Scheme != "http":
		return nil, fmt.Errorf("%s: %w: the scheme %q is not https", u.Host, ErrRefused, u.Scheme)
	}

	port := u.Port()
	if port == "" {
		port = "80"
	}

	if !c.allow.host(u.Hostname(), port) {
		return nil, fmt.Errorf("%s: %w: http is for hosts of PLATFORM_OUTBOUND_ALLOW only", u.Host, ErrRefused)
	}

	return u, nil
}

// dial connects. It checks the address after the name has been resolved and before the first
// packet, so that no second look-up can return something else (DNS rebinding).
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}

	dialer := c.dialer
	if !c.allow.host(host, port) {
		dialer.ControlContext = c.control
	}
	return dialer.DialContext(ctx, network, address)
}

func (c *Client) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	resolved, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") {
		return fmt.Errorf("%w: %s %s", ErrRefused, network, address)
	}
	if addr := resolved.Addr(); !Public(addr) && !c.allow.address(addr) {
		return fmt.Errorf("%w: %s is not a public address, and not in PLATFORM_OUTBOUND_ALLOW", ErrRefused, addr)
	}
	return nil
}

// classify drops the URL that net/http puts into its errors.
func classify(host string, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if errors.Is(err, ErrRefused) {
		return fmt.Errorf("%s: %w", host, err)
	}
	return fmt.Errorf("%s: %w: %w", host, ErrUnreachable, err)
}
