package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// maxPages is more pages than a sign-in has: address, password, tenant, consent.
const maxPages = 8

// pages opens a URL and fills in the forms that it leads to, until the browser is
// redirected to the application. It returns the query of that redirect.
func (t Target) pages(ctx context.Context, client *http.Client, begin string) (url.Values, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, begin, http.NoBody)
	if err != nil {
		return nil, err
	}

	for range maxPages {
		res, err := client.Do(r)
		if err != nil {
			return nil, err
		}

		document, err := html.Parse(res.Body)
		_ = res.Body.Close()

		if err != nil {
			return nil, err
		}

		if location, err := res.Location(); err == nil && res.StatusCode >= 300 && res.StatusCode < 400 {
			return location.Query(), nil
		}

		if res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s %s: status %d", r.Method, res.Request.URL.Path, res.StatusCode)
		}

		action, form := t.fill(document)
		to, err := res.Request.URL.Parse(action)
		if err != nil || form == nil {
			return nil, fmt.Errorf("%s: a page without a form to go on", res.Request.URL.Path)
		}

		r, err = http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(form.Encode()))
		if err != nil {
			return nil, err
		}

		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}

	return nil, errors.New("the sign-in has too many pages")
}

// fill finds the first form with method POST and fills it in like a person who agrees to
// everything.
func (t Target) fill(document *html.Node) (action string, form url.Values) {
	for n := range document.Descendants() {
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "form" && form != nil:
			return action, form
		case n.Data == "form" && strings.EqualFold(attribute(n, "method"), "post"):
			action, form = attribute(n, "action"), url.Values{}
		case form == nil || attribute(n, "name") == "":
		case n.Data == "input" && attribute(n, "name") == "email":
			form.Set("email", t.Email)
		case n.Data == "input" && attribute(n, "name") == "password":
			form.Set("password", t.Password)
		case n.Data == "input" && attribute(n, "type") == "hidden":
			form.Set(attribute(n, "name"), attribute(n, "value"))
		case n.Data == "button" && !form.Has(attribute(n, "name")) && attribute(n, "value") != "deny":
			form.Set(attribute(n, "name"), attribute(n, "value"))
		}
	}

	return action, form
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
