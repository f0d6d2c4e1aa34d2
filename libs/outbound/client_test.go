package outbound

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// server is one on 127.0.0.1, its URL, and how often it was asked.
func server(t *testing.T, handler http.HandlerFunc) (address string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func client(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func port(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Port()
}

func TestWhereTheClientDoesNotGo(t *testing.T) {
	address, asked := server(t, hello)
	p := port(t, address)
	c := client(t, Options{})
	for name, target := range map[string]string{
		"http":                               "http://example.com/",
		"http to ourselves":                  address,
		"loopback by https":                  "https://127.0.0.1:" + p,
		"loopback by name":                   "https://localhost:" + p,
		"loopback of IPv6":                   "https://[::1]:" + p,
		"loopback, mapped":                   "https://[::ffff:127.0.0.1]:" + p,
		"the wildcard address":               "https://0.0.0.0:" + p,
		"the cloud's metadata":               "https://169.254.169.254/latest/meta-data",
		"the cloud's metadata through NAT64": "https://[64:ff9b::169.254.169.254]/",
		"a URL with a user":                  "https://user:secret@example.com/",
		"another scheme":                     "file:///etc/passwd",
		"gopher":                             "gopher://127.0.0.1/",
		"no host":                            "https:///x",
		"opaque":                             "https:example.com",
		"nothing":                            "",
		"a control character":                "https://example.com/\n",
	} {
		_, _, err := c.Get(t.Context(), target)
		require.ErrorIs(t, err, ErrRefused, name)
		require.NotErrorIs(t, err, ErrUnreachable, name)
		require.NotContains(t, err.Error(), "secret", name)
		_, err = c.PostForm(t.Context(), target, url.Values{"logout_token": {"secret"}})
		require.ErrorIs(t, err, ErrRefused, name)
	}

	require.Zero(t, asked.Load())
}

func TestAnExceptionByHostAllowsHTTPAndAnyAddress(t *testing.T) {
	address, asked := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		require.Equal(t, "platform-oauth", r.UserAgent())
		hello(w, r)
	})

	p := port(t, address)
	for _, allow := range []string{"127.0.0.1", "127.0.0.1:" + p} {
		body, header, err := client(t, Options{Allow: []string{allow}}).Get(t.Context(), address+"/x")
		require.NoError(t, err)
		require.Equal(t, "hello", string(body))
		require.Equal(t, "max-age=60", header.Get("Cache-Control"))
	}

	require.EqualValues(t, 2, asked.Load())
	_, _, err := client(t, Options{Allow: []string{"127.0.0.1:1"}}).Get(t.Context(), address)
	require.ErrorIs(t, err, ErrRefused, "another port")
	_, _, err = client(t, Options{Allow: []string{"127.0.0.0/8"}}).Get(t.Context(), address)
	require.ErrorIs(t, err, ErrRefused, "a network does not allow http")
}

func secure(t *testing.T, o Options, handler http.HandlerFunc) (*Client, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // a certificate refused on purpose
	s.StartTLS()
	t.Cleanup(s.Close)

	if o.RootCAs == nil {
		o.RootCAs = x509.NewCertPool()
		o.RootCAs.AddCert(s.Certificate())
	}

	return client(t, o), s.URL
}

func TestANetworkAllowsItsAddressesByHTTPS(t *testing.T) {
	c, address := secure(t, Options{Allow: []string{"127.0.0.0/8"}}, hello)
	body, _, err := c.Get(t.Context(), address)
	require.NoError(t, err)
	require.Equal(t, "hello", string(body))

	c, address = secure(t, Options{Allow: []string{"127.0.0.0/8"}, RootCAs: x509.NewCertPool()}, hello)
	_, _, err = c.Get(t.Context(), address)
	require.ErrorIs(t, err, ErrUnreachable, "a certificate of an unknown authority")
}

func TestANameThatIsBoundAgainIsRefusedAtTheSecondConnection(t *testing.T) {
	address, asked := server(t, hello)
	p := port(t, address)
	c, secureAddress := secure(t, Options{
		// 127.0.0.1 plays the public address, 127.0.0.2 the private one.
		Allow: []string{"127.0.0.1/32"}, Resolver: testkit.Names("127.0.0.1", "127.0.0.2"),
	}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		hello(w, r)
	})

	target := "https://example.com:" + port(t, secureAddress) // a name of httptest's certificate
	_, _, err := c.Get(t.Context(), target)
	require.NoError(t, err)
	_, _, err = c.Get(t.Context(), target)
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorContains(t, err, "127.0.0.2")

	c = client(t, Options{Allow: []string{"rebound.test"}, Resolver: testkit.Names("127.0.0.1")})
	_, _, err = c.Get(t.Context(), "http://rebound.test:"+p)
	require.NoError(t, err, "the operator trusts this name")
	require.EqualValues(t, 1, asked.Load())
}

func TestARedirectIsNotFollowed(t *testing.T) {
	inner, asked := server(t, hello)
	for _, status := range []int{301, 302, 303, 307, 308} {
		address, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", inner)
			w.WriteHeader(status)
		})
		c := client(t, Options{Allow: []string{"127.0.0.1"}})
		_, _, err := c.Get(t.Context(), address)
		require.ErrorIs(t, err, ErrAnswer)
		_, err = c.PostForm(t.Context(), address, nil)
		require.ErrorIs(t, err, ErrAnswer)
	}

	require.Zero(t, asked.Load())
}

func TestOnlyADocumentIsGot(t *testing.T) {
	address, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	_, _, err := client(t, Options{Allow: []string{"127.0.0.1"}}).Get(t.Context(), address)
	require.ErrorIs(t, err, ErrAnswer)
}

func TestABodyHasAGreatestSize(t *testing.T) {
	address, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		n := 1000
		if r.URL.Path == "/huge" {
			n = 1 << 22
		}
		_, _ = io.WriteString(w, strings.Repeat("x", n))
	})

	c := client(t, Options{Allow: []string{"127.0.0.1"}, MaxBody: 1000})
	body, _, err := c.Get(t.Context(), address+"/exact")
	require.NoError(t, err)
	require.Len(t, body, 1000)
	body, _, err = c.Get(t.Context(), address+"/huge")
	require.ErrorIs(t, err, ErrAnswer)
	require.Nil(t, body)
	status, err := c.PostForm(t.Context(), address+"/huge", nil)
	require.NoError(t, err, "what a POST answers is not kept")
	require.Equal(t, http.StatusOK, status)
}

func TestHeadersHaveAGreatestSize(t *testing.T) {
	address, _ := server(t,
		func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) })
	_, _, err := client(t, Options{Allow: []string{"127.0.0.1"}}).Get(t.Context(), address)
	require.ErrorIs(t, err, ErrUnreachable)
}

// The server never ends its answer, so only the timeout does.
func TestASlowAnswerEndsWithTheTimeout(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"headers": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		address, _ := server(t, handler)
		_, _, err := client(t, Options{Allow: []string{"127.0.0.1"}, Timeout: 100 * time.Millisecond}).Get(t.Context(),
			address)
		require.ErrorIs(t, err, ErrUnreachable, name)
		require.True(t, errors.Is(err, context.DeadlineExceeded), name)
	}
}

func TestNobodyThereIsUnreachableAndNotRefused(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := "http://" + l.Addr().String()
	require.NoError(t, l.Close())
	_, err = client(t, Options{Allow: []string{"127.0.0.1"}}).PostForm(t.Context(), address+"/?secret=1", nil)
	require.ErrorIs(t, err, ErrUnreachable)
	require.NotErrorIs(t, err, ErrRefused)
	require.NotContains(t, err.Error(), "secret", "no query in an error")
}

func TestAFormIsPostedAndItsStatusComesBack(t *testing.T) {
	address, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.PostFormValue("logout_token") == "a+b c" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
	})

	c := client(t, Options{Allow: []string{"127.0.0.1"}})
	status, err := c.PostForm(t.Context(), address, url.Values{"logout_token": {"a+b c"}})
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, status)
	status, err = c.PostForm(t.Context(), address, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, status)
}

func TestAProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	proxy, asked := server(t, hello)
	t.Setenv("HTTP_PROXY", proxy)
	t.Setenv("HTTPS_PROXY", proxy)
	c := client(t, Options{Allow: []string{"away.test"}, Resolver: testkit.Names("127.0.0.1"), Timeout: time.Second})
	_, _, _ = c.Get(t.Context(), "http://away.test:1/")
	require.Zero(t, asked.Load())
	require.Nil(t, c.http.Transport.(*http.Transport).Proxy) //nolint:forcetypeassert // New made it
}
