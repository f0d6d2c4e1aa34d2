package formbrowser

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// accept is the Accept header that a browser sends for a page.
const accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// Browser is one person's browser: a cookie jar that follows redirects.
type Browser struct {
	t      testing.TB
	client *http.Client
	stopAt []string
}

// New returns an empty browser. It doesn't follow redirects to URLs that begin with one of
// stopAt (the applications' callbacks). The page that it returns then is the redirect
// itself; see Page.Location.
func New(t testing.TB, stopAt ...string) *Browser {
	t.Helper()
	return WithTransport(t, http.DefaultTransport, stopAt...)
}

// WithTransport is like New, with a transport of the caller's that can observe the traffic.
func WithTransport(t testing.TB, transport http.RoundTripper, stopAt ...string) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	b := &Browser{t: t, stopAt: stopAt}
	b.client = &http.Client{
		Jar:       jar,
		Timeout:   30 * time.Second,
		Transport: transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			for _, prefix := range b.stopAt {
				if strings.HasPrefix(r.URL.String(), prefix) {
					return http.ErrUseLastResponse
				}
			}

			if len(via) > 15 {
				return fmt.Errorf("more than 15 redirects, the last to %s", r.URL.Path)
			}
			return nil
		},
	}

	return b
}

// Client returns the browser's HTTP client, which has its cookies.
func (b *Browser) Client() *http.Client { return b.client }

// Cookies returns the cookies that the browser would send to a URL.
func (b *Browser) Cookies(rawURL string) []*http.Cookie {
	u, err := url.Parse(rawURL)
	require.NoError(b.t, err)
	return b.client.Jar.Cookies(u)
}

// Get opens a URL.
func (b *Browser) Get(rawURL string) *Page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, rawURL, http.NoBody)
	require.NoError(b.t, err)
	return b.do(r)
}

// Post sends a form that is on no page, as a program would.
func (b *Browser) Post(rawURL string, values url.Values) *Page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, rawURL, strings.NewReader(values.Encode()))
	require.NoError(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

func (b *Browser) do(r *http.Request) *Page {
	b.t.Helper()
	r.Header.Set("Accept", accept)
	res, err := b.client.Do(r)
	require.NoError(b.t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	doc, err := html.Parse(strings.NewReader(string(body)))
	require.NoError(b.t, err)

	return &Page{
		browser: b,
		URL:     res.Request.URL,
		Status:  res.StatusCode,
		Header:  res.Header,
		Body:    string(body),
		doc:     doc,
	}
}

// Page is the page that the browser shows.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   string

	browser *Browser
	doc     *html.Node
}

// Location returns the target of a redirect that was not followed.
func (p *Page) Location() *url.URL {
	p.browser.t.Helper()
	require.NotEmpty(p.browser.t, p.Header.Get("Location"), "%d %s is no redirect:\n%s", p.Status, p.URL.Path, p.Text())
	u, err := p.URL.Parse(p.Header.Get("Location"))
	require.NoError(p.browser.t, err)
	return u
}

// Text returns the page's text with white space folded.
func (p *Page) Text() string {
	var b strings.Builder
	walk(p.doc, func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data + " ")
		}
	})

	return strings.Join(strings.Fields(b.String()), " ")
}

// H1 returns the page's main heading.
func (p *Page) H1() string {
	var text string
	walk(p.doc, func(n *html.Node) {
		if n.Type == html.ElementNode && n.Data == "h1" && n.FirstChild != nil {
			text = strings.TrimSpace(n.FirstChild.Data)
		}
	})

	return text
}

// Follow opens the link whose text contains text.
func (p *Page) Follow(text string) *Page {
	p.browser.t.Helper()
	var href string
	walk(p.doc, func(n *html.Node) {
		if href == "" && n.Type == html.ElementNode && n.Data == "a" && strings.Contains(words(n), text) {
			href = attribute(n, "href")
		}
	})

	require.NotEmpty(p.browser.t, href, "no link %q on the page:\n%s", text, p.Text())
	u, err := p.URL.Parse(href)
	require.NoError(p.browser.t, err)
	return p.browser.Get(u.String())
}

// Has reports whether a form on the page has a field or button of that name.
func (p *Page) Has(name string) bool {
	found := false
	walk(p.doc, func(n *html.Node) {
		found = found || (n.Type == html.ElementNode && (n.Data == "input" || n.Data == "button") &&
			attribute(n, "name") == name)
	})
	return found
}

// Submit fills the form that has a button labelled text and presses that button. Hidden
// fields, defaults and the button's own name and value are sent too.
func (p *Page) Submit(text string, fill url.Values) *Page {
	p.browser.t.Helper()
	action, method, values := p.form(text)
	for name, v := range fill {
		require.True(p.browser.t, p.Has(name), "no field %q on the page:\n%s", name, p.Text())
		values[name] = v
	}

	u, err := p.URL.Parse(action)
	require.NoError(p.browser.t, err)

	if !strings.EqualFold(method, http.MethodPost) {
		u.RawQuery = values.Encode()
		return p.browser.Get(u.String())
	}

	r, err := http.NewRequestWithContext(p.browser.t.Context(), http.MethodPost, u.String(),
		strings.NewReader(values.Encode()))
	require.NoError(p.browser.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", p.URL.Scheme+"://"+p.URL.Host)
	r.Header.Set("Sec-Fetch-Site", "same-origin")

	return p.browser.do(r)
}

// form finds the form with the button and the values that it would send untouched.
func (p *Page) form(button string) (action, method string, values url.Values) {
	p.browser.t.Helper()
	walk(p.doc, func(form *html.Node) {
		if values != nil || form.Type != html.ElementNode || form.Data != "form" {
			return
		}

		sent, pressed := url.Values{}, false
		walk(form, func(n *html.Node) {
			if n.Type != html.ElementNode {
				return
			}

			switch n.Data {
			case "input":
				kind := attribute(n, "type")
				if name := attribute(n, "name"); name != "" && kind != "submit" &&
					((kind != "radio" && kind != "checkbox") || has(n, "checked")) {
					sent.Add(name, attribute(n, "value"))
				}
			case "button":
				if !pressed && strings.Contains(words(n), button) {
					pressed = true
					if name := attribute(n, "name"); name != "" {
						sent.Set(name, attribute(n, "value"))
					}
				}
			}
		})

		if pressed {
			action, method, values = attribute(form, "action"), attribute(form, "method"), sent
		}
	})

	require.NotNil(p.browser.t, values, "no form with a button %q on the page (%d %s):\n%s", button,
		p.Status, p.URL.Path, p.Text())
	return action, method, values
}

// Hidden returns the value of a form field, including hidden ones.
func (p *Page) Hidden(name string) string {
	var value string
	walk(p.doc, func(n *html.Node) {
		if n.Type == html.ElementNode && n.Data == "input" && attribute(n, "name") == name {
			value = attribute(n, "value")
		}
	})

	return value
}

func walk(n *html.Node, visit func(*html.Node)) {
	visit(n)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, visit)
	}
}

func words(n *html.Node) string {
	var b strings.Builder
	walk(n, func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	})

	return strings.Join(strings.Fields(b.String()), " ")
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}
